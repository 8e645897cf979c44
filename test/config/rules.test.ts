import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileGlob } from '../../src/config/glob.ts';
import { type ConfigFlags, loadConfig } from '../../src/config/load.ts';
import type { KindPlan } from '../../src/config/plan.ts';
import { compileRules, planKind } from '../../src/config/rules.ts';
import { unmatchedRules } from '../../src/config/unmatched.ts';
import { type Kind, kindId } from '../../src/model/kind.ts';
import { CLUSTER, CONFIG_MAPS, DEPLOYMENTS, kindOf, LEASES, NAMESPACES, NODES, PODS, SECRETS, WIDGETS } from './kinds.ts';

function plan(kind: Kind, text = '', flags: ConfigFlags = {}): KindPlan {
  return planKind(kind, compileRules(loadConfig({ text, file: 'x', flags })));
}

function mirrored(text: string, flags: ConfigFlags = {}): readonly string[] {
  const rules = compileRules(loadConfig({ text, file: 'x', flags }));
  return CLUSTER.filter((kind) => planKind(kind, rules).mirror).map(kindId);
}

describe('which kinds are mirrored', () => {
  test('without rules everything but Secrets and Leases', () => {
    expect(mirrored('')).toEqual(['pods', 'nodes', 'deployments.apps', 'widgets.example.com', 'configmaps', 'namespaces']);
    expect(plan(SECRETS).reason).toBe('Secrets are off by default; a rule that names secrets turns them on');
  });

  test('the first rule whose kinds match decides alone', () => {
    const text = 'resources: [{ kinds: [pods], labels: a=b }, { kinds: ["*"], mirror: false }, { kinds: [nodes] }]';
    expect(mirrored(text)).toEqual(['pods']);
    expect(plan(PODS, text).labelSelector).toBe('a=b');
    expect(plan(NODES, text).reason).toBe('resources[1] (*) says mirror: false');
  });

  test('a wildcard never asks for Secrets or Leases; naming them does', () => {
    expect(mirrored('resources: [{ kinds: ["*"] }]')).not.toContain('secrets');
    expect(mirrored('resources: [{ kinds: ["secret*", "*.coordination.k8s.io"] }]')).not.toContain('secrets');
    expect(plan(SECRETS, 'resources: [{ kinds: ["*"] }, { kinds: [secrets] }]')).toMatchObject({ mirror: true, secrets: 'hashed' });
    expect(plan(SECRETS, 'resources: [{ kinds: [Secret], secrets: plain }]')).toMatchObject({ mirror: true, secrets: 'plain' });
    expect(plan(LEASES, 'resources: [{ kinds: [leases.coordination.k8s.io] }]').mirror).toBe(true);
    expect(plan(PODS, 'resources: [{ kinds: ["*"], secrets: plain }]').secrets).toBe('none');
  });

  test('a kind with a slash is apiVersion and Kind, and the version is the one that the API server prefers', () => {
    expect(mirrored('resources: [{ kinds: ["v1/*"] }, { kinds: ["*"], mirror: false }]')).toEqual(['pods', 'nodes', 'configmaps', 'namespaces']);
    expect(mirrored('resources: [{ kinds: ["apps/v1/*", "v1/Pod"] }, { kinds: ["*"], mirror: false }]')).toEqual(['pods', 'deployments.apps']);
    expect(mirrored('resources: [{ kinds: ["apps/v1beta1/*", "v1/Deployment"] }, { kinds: ["*"], mirror: false }]')).toEqual([]);
    expect(plan(SECRETS, 'resources: [{ kinds: ["v1/Secret"] }]').mirror).toBe(true);
    expect(mirrored('', { kinds: 'v1/Node,*/v1/Widget' })).toEqual(['nodes', 'widgets.example.com']);
    expect(plan(DEPLOYMENTS, 'workers: { apps/v1/Deployment: 9 }').workers).toBe(9);
  });

  test('a rule with a scope is only about kinds of that scope', () => {
    expect(mirrored('resources: [{ kinds: ["v1/*"], scope: cluster, mirror: false }]')).toEqual([
      'pods',
      'deployments.apps',
      'widgets.example.com',
      'configmaps',
    ]);
    expect(mirrored('resources: [{ kinds: ["*"], scope: namespaced, mirror: false }]')).toEqual(['nodes', 'namespaces']);
    expect(mirrored('resources: [{ kinds: [nodes], scope: namespaced, mirror: false }]')).toContain('nodes');
  });

  test('--kinds restricts, and the rules still apply', () => {
    expect(mirrored('', { kinds: 'po,Deployment.apps' })).toEqual(['pods', 'deployments.apps']);
    expect(mirrored('resources: [{ kinds: [pods], mirror: false }]', { kinds: 'pods,nodes' })).toEqual(['nodes']);
    expect(mirrored('', { kinds: '*' })).not.toContain('secrets');
    expect(mirrored('', { kinds: 'secrets' })).toEqual(['secrets']);
    expect(plan(PODS, '', { kinds: 'nodes' }).reason).toBe('not among kinds (--kinds)');
  });

  test('a kind may be named by id, Kind, Kind and group, or short name', () => {
    for (const name of ['deployments.apps', 'Deployment', 'Deployment.apps', 'deploy', '*.apps', 'deploy*']) {
      expect(mirrored('', { kinds: name })).toEqual(['deployments.apps']);
    }
    for (const name of ['deployments', 'deployment', 'DEPLOY', 'apps']) expect(mirrored('', { kinds: name })).toEqual([]);
  });

  test('kinds that are only computed are never mirrored', () => {
    const metrics = kindOf('metrics.k8s.io/v1beta1 pods PodMetrics');
    expect(plan(metrics, 'resources: [{ kinds: [pods.metrics.k8s.io] }]')).toMatchObject({
      mirror: false,
      reason: 'computed when asked for; there is nothing to mirror',
    });
  });
});

describe('what is asked of the API server, and what is left', () => {
  test('a kind without rule is followed whole', () => {
    expect(plan(PODS)).toMatchObject({
      scopes: [''],
      labelSelector: null,
      fieldSelector: null,
      filter: { namespaces: [], names: null, fields: null },
      mask: [],
      ignoreChanges: [],
    });
  });

  test('only literal namespaces: each is a scope of its own', () => {
    expect(plan(PODS, 'resources: [{ kinds: [pods], namespaces: { include: [b, a, b] } }]')).toMatchObject({
      scopes: ['a', 'b'],
      fieldSelector: null,
      filter: { namespaces: [] },
    });
    expect(plan(PODS, 'resources: [{ kinds: [pods], namespaces: { include: [a, b], exclude: ["b*"] } }]').scopes).toEqual(['a']);
    expect(plan(PODS, 'resources: [{ kinds: [pods], namespaces: { include: ["team-*"] } }]', { namespaces: ['team-a', 'x'] }).scopes).toEqual(['team-a']);
  });

  test('no namespace left means not mirrored', () => {
    expect(plan(PODS, 'resources: [{ kinds: [pods], namespaces: { include: [a] } }]', { namespaces: ['b'] })).toMatchObject({
      mirror: false,
      reason: 'no namespace is left by resources[0] (pods) and namespaces',
    });
  });

  test('literal exclusions go to the server, globs stay here', () => {
    const found = plan(PODS, 'resources: [{ kinds: [pods], namespaces: { exclude: [kube-system, "x-*"] }, names: { exclude: [n, "m*"] } }]');
    expect(found.scopes).toEqual(['']);
    expect(found.fieldSelector).toBe('metadata.name!=n,metadata.namespace!=kube-system');
    expect(found.filter.namespaces.map(({ include, exclude }) => [include, exclude.map(({ text }) => text)])).toEqual([[null, ['x-*']]]);
    expect(found.filter.names?.exclude.map(({ text }) => text)).toEqual(['n', 'm*']);
  });

  test('one literal name goes to the server', () => {
    expect(plan(CONFIG_MAPS, 'resources: [{ kinds: [cm], names: { include: [one] } }]')).toMatchObject({
      fieldSelector: 'metadata.name=one',
      filter: { names: null },
    });
    expect(plan(CONFIG_MAPS, 'resources: [{ kinds: [cm], names: { include: [one, two] } }]').fieldSelector).toBe(null);
  });

  test('filters with exceptions are judged here, whole, and --namespace goes on meaning what it says', () => {
    const text = 'resources: [{ kinds: ["*"], namespaces: { exclude: [kube-system] }, names: { exclude: [n] }, always: ["kube-system/kube-*"] }]';
    const found = plan(PODS, text);
    expect(found).toMatchObject({ scopes: [''], fieldSelector: null, filter: { namespaces: [], names: null } });
    expect(found.filter.excepting?.always.map((glob) => glob.text)).toEqual(['kube-system/kube-*']);
    expect(found.filter.excepting?.namespaces?.exclude.map((glob) => glob.text)).toEqual(['kube-system']);
    expect(plan(NODES, text).filter.excepting?.namespaces).toBe(null);
    expect(plan(PODS, text, { namespaces: ['a'] }).scopes).toEqual(['a']);
    expect(plan(PODS, text, { namespaces: ['a*'] }).filter.namespaces).toHaveLength(1);
  });

  test('fields the server cannot select by for this kind stay here', () => {
    const text = 'resources: [{ kinds: ["*"], fields: "status.phase=Running,spec.x!=a\\\\,b,metadata.name!=q" }]';
    expect(plan(PODS, text)).toMatchObject({ fieldSelector: 'status.phase=Running,metadata.name!=q', filter: { fields: 'spec.x!=a\\,b' } });
    expect(plan(WIDGETS, text)).toMatchObject({ fieldSelector: 'metadata.name!=q', filter: { fields: 'status.phase=Running,spec.x!=a\\,b' } });
    expect(plan(NAMESPACES, 'resources: [{ kinds: [ns], fields: "metadata.namespace=x" }]')).toMatchObject({
      fieldSelector: null,
      filter: { fields: 'metadata.namespace=x' },
    });
  });

  test('namespaces mean nothing to cluster-scoped kinds in a rule', () => {
    expect(plan(NODES, 'resources: [{ kinds: ["*"], namespaces: { include: [a] } }]')).toMatchObject({ mirror: true, scopes: [''], fieldSelector: null });
  });

  test('with --namespace cluster-scoped kinds are left out unless named', () => {
    expect(mirrored('', { namespaces: ['a'] })).toEqual(['pods', 'deployments.apps', 'widgets.example.com', 'configmaps']);
    expect(mirrored('resources: [{ kinds: [nodes] }]', { namespaces: ['a'] })).toContain('nodes');
    expect(mirrored('', { namespaces: ['a'], kinds: 'nodes,pods' })).toEqual(['pods', 'nodes']);
  });

  test('heartbeats of nodes are not worth a write, unless the rule has its own list', () => {
    expect(plan(NODES).ignoreChanges.map(({ text }) => text)).toEqual(['status.conditions[*].lastHeartbeatTime']);
    expect(plan(NODES, 'resources: [{ kinds: ["*"] }]').ignoreChanges).toHaveLength(1);
    expect(plan(NODES, 'resources: [{ kinds: [nodes], ignoreChanges: [] }]').ignoreChanges).toEqual([]);
  });

  test('the top workload is asked for by a rule; by default for pods in the storage of bcs-k8s-watch, whose readers look for it', () => {
    const asked = (kind: Kind, text: string): boolean => plan(kind, text).annotateWorkload;
    const bcs = 'storage: { url: "bcs+http://storage:50024" }';
    expect([asked(PODS, ''), asked(PODS, bcs), asked(DEPLOYMENTS, bcs)]).toEqual([false, true, false]);
    expect(asked(PODS, `${bcs}\nresources: [{ kinds: [pods] }]`)).toBe(true);
    expect(asked(PODS, `${bcs}\nresources: [{ kinds: [pods], annotateWorkload: false }]`)).toBe(false);
    const rule = 'resources: [{ kinds: [pods, deployments.apps], annotateWorkload: true }]';
    expect([asked(PODS, rule), asked(DEPLOYMENTS, rule), asked(NODES, rule)]).toEqual([true, true, false]);
  });

  test('workers: the id first, then any other name of the kind, then the default', () => {
    const text = 'workers: { default: 3, Deployment: 5, deployments.apps: 7, po: 9 }';
    expect([DEPLOYMENTS, PODS, NODES].map((kind) => plan(kind, text).workers)).toEqual([7, 9, 3]);
  });

  test('the fingerprint changes with what is stored, and with nothing else', () => {
    const base = plan(PODS, 'resources: [{ kinds: [pods], mask: [spec.a] }]').fingerprint;
    expect(plan(PODS, 'workers: { pods: 9 }\nresources: [{ kinds: [nodes] }, { kinds: [po], mask: [spec.a], minIntervalSeconds: 4 }]').fingerprint).toBe(base);
    for (const rule of [
      'mask: [spec.b]',
      'mask: [spec.a], labels: a',
      'mask: [spec.a], fields: spec.q=1',
      'mask: [spec.a], ignoreChanges: [x]',
      'mask: [spec.a], names: { include: ["a*"] }',
      'mask: [spec.a], setLabels: { a: b }',
      'mask: [spec.a], annotateWorkload: true',
      'mask: [spec.a], remove: [spec.b]',
      'mask: [spec.a], remove: [{ path: spec.b, namespaces: [x] }]',
      'mask: [spec.a], always: [a/b]',
    ]) {
      expect(plan(PODS, `resources: [{ kinds: [pods], ${rule} }]`).fingerprint).not.toBe(base);
    }
  });
});

/** A glob by plain recursion. */
function dumbGlob(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  if (pattern[0] === '*') return dumbGlob(pattern.slice(1), text) || (text !== '' && dumbGlob(pattern, text.slice(1)));
  return text !== '' && (pattern[0] === '?' || pattern[0] === text[0]) && dumbGlob(pattern.slice(1), text.slice(1));
}

describe('against dumb twins', () => {
  test('globs match as plain recursion says', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '.', '-', '+'), maxLength: 8 });
    const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '?', '+'), maxLength: 6 });
    fc.assert(
      fc.property(patterns, letters, (pattern, text) => {
        expect(compileGlob(pattern).matches(text)).toBe(dumbGlob(pattern, text));
      }),
      { numRuns: 2000 },
    );
  });

  test('which kinds are mirrored agrees with a list walked rule by rule', () => {
    const pattern = fc.constantFrom(
      '*',
      'pods',
      'Pod',
      'po',
      '*.apps',
      'deploy',
      's*',
      'secrets',
      'Lease',
      '*.io',
      'nodes',
      'widgets.example.com',
      'gone.example.com',
    );
    const rule = fc.record({ kinds: fc.array(pattern, { minLength: 1, maxLength: 3 }), mirror: fc.boolean() });
    const names = (kind: Kind): readonly string[] => [kindId(kind), kind.kind, `${kind.kind}.${kind.group}`, ...kind.shortNames];
    const isOff = (kind: Kind): boolean => kind === SECRETS || kind === LEASES;
    const hits = (kind: Kind, text: string): boolean => names(kind).includes(text) || (!isOff(kind) && text.includes('*') && dumbGlob(text, kindId(kind)));
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 4 }), fc.option(fc.array(pattern, { minLength: 1, maxLength: 3 })), (rules, only) => {
        const expected = CLUSTER.filter((kind) => {
          if (only !== null && !only.some((text) => hits(kind, text))) return false;
          for (const { kinds, mirror } of rules) if (kinds.some((text) => hits(kind, text))) return mirror;
          return !isOff(kind) || only !== null;
        });
        expect(mirrored(JSON.stringify({ resources: rules, kinds: only }))).toEqual(expected.map(kindId));
      }),
      { numRuns: 500 },
    );
  });

  test('server and client together let exactly those namespaces and names pass that the rule says', () => {
    const word = fc.constantFrom('a', 'b', 'ab', 'a*', '*b', 'c');
    const filter = fc.record({
      include: fc.option(fc.array(word, { minLength: 1, maxLength: 3 }), { nil: undefined }),
      exclude: fc.option(fc.array(word, { maxLength: 3 }), { nil: undefined }),
    });
    const meets = (rule: { include?: string[] | undefined; exclude?: string[] | undefined }, name: string): boolean =>
      (rule.include === undefined || rule.include.some((text) => dumbGlob(text, name))) && !(rule.exclude ?? []).some((text) => dumbGlob(text, name));
    fc.assert(
      fc.property(filter, filter, fc.option(fc.array(word, { minLength: 1, maxLength: 2 })), (namespaces, names, global) => {
        const found = plan(PODS, JSON.stringify({ resources: [{ kinds: ['pods'], namespaces, names }], namespaces: global }));
        for (const namespace of ['a', 'b', 'ab', 'c', 'd']) {
          for (const name of ['a', 'b', 'ab', 'd']) {
            const wanted = meets(namespaces, namespace) && meets(names, name) && (global === null || global.some((text) => dumbGlob(text, namespace)));
            const served = (found.fieldSelector ?? '').split(',').every((term) => {
              const [, field, operator, value] = /^metadata\.(name|namespace)(!?=)(.*)$/.exec(term) ?? [];
              return field === undefined || ((field === 'name' ? name : namespace) === value) === (operator === '=');
            });
            const inScope = found.scopes.includes('') || found.scopes.includes(namespace);
            const ours = found.filter.namespaces.every(
              ({ include, exclude }) => (include?.some((glob) => glob.matches(namespace)) ?? true) && !exclude.some((glob) => glob.matches(namespace)),
            );
            const named =
              found.filter.names === null ||
              ((found.filter.names.include?.some((glob) => glob.matches(name)) ?? true) && !found.filter.names.exclude.some((glob) => glob.matches(name)));
            expect({ namespace, name, kept: found.mirror && inScope && served && ours && named }).toEqual({ namespace, name, kept: wanted });
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('rules about kinds that the cluster does not have', () => {
  const warnings = (text: string): readonly string[] => unmatchedRules(CLUSTER, compileRules(loadConfig({ text, file: 'x' }))).map(({ message }) => message);

  test('an unknown kind is told with what was probably meant', () => {
    expect(warnings('resources: [{ kinds: [nodes, pod] }]')).toEqual([
      'resources[0].kinds[1]: the cluster has no kind "pod". Did you mean "pods"? The rule waits until such a kind appears.',
    ]);
    expect(warnings('kinds: ["apps/v1beta1/*", "nowhere.io/v1/*"]')).toEqual([
      'kinds[0]: the cluster has no kind "apps/v1beta1/*". Did you mean "apps/v1/*"? It is mirrored when such a kind appears.',
      'kinds[1]: the cluster has no kind "nowhere.io/v1/*". It is mirrored when such a kind appears.',
    ]);
    expect(warnings('kinds: [deployments]')).toEqual([
      'kinds[0]: the cluster has no kind "deployments". Did you mean "deployments.apps"? It is mirrored when such a kind appears.',
    ]);
    expect(warnings('workers: { wigdets.example.com: 4 }')).toEqual([
      'workers["wigdets.example.com"]: the cluster has no kind "wigdets.example.com". Did you mean "widgets.example.com"? It has no effect until such a kind appears.',
    ]);
    expect(warnings('resources: [{ kinds: ["*.exmaple.com"] }]')).toEqual([
      'resources[0].kinds[0]: the cluster has no kind "*.exmaple.com". Did you mean "*.example.com"? The rule waits until such a kind appears.',
    ]);
  });

  test('a kind that resembles none is told without a guess; kinds that match are not mentioned', () => {
    expect(warnings('resources: [{ kinds: [gizmos.factory.test, "*", po, Secret] }]')).toEqual([
      'resources[0].kinds[0]: the cluster has no kind "gizmos.factory.test". The rule waits until such a kind appears.',
    ]);
  });
});
