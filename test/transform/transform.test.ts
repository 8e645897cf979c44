import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { compileRules, planKind } from '../../src/config/rules.ts';
import type { Kind } from '../../src/model/kind.ts';
import { deriveSecretKey } from '../../src/transform/secrets.ts';
import { createTransform, type Transform } from '../../src/transform/transform.ts';
import { DEPLOYMENTS, NODES, PODS, SECRETS, WIDGETS } from '../config/kinds.ts';
import { rawOf, textOf } from './raw.ts';

const secretKey = deriveSecretKey('11111111-2222-3333-4444-555555555555');

function transformFor(kind: Kind, rule = ''): Transform | null {
  const text = rule === '' ? '' : `resources: [{ kinds: [${kind.kind}], ${rule} }]`;
  return createTransform(planKind(kind, compileRules(loadConfig({ text, file: 'x' }))), { secretKey });
}

function needed(kind: Kind, rule = ''): Transform {
  const transform = transformFor(kind, rule);
  if (transform === null) throw new Error('a transform was expected');
  return transform;
}

/** The JSON text that comes out, and the hash; null when the object is not kept. */
function run(transform: Transform, object: unknown): { readonly text: string; readonly hash: string | null } | null {
  const result = transform.apply(rawOf(object));
  return result.keep ? { text: textOf(result.source), hash: result.contentHash } : null;
}

const pod = (extra: object = {}, namespace = 'web'): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'a', namespace, uid: 'u', resourceVersion: '5' },
  ...extra,
});

describe('what needs no look inside', () => {
  test('without anything to do there is no transform: the bytes pass untouched', () => {
    expect(transformFor(PODS)).toBe(null);
    expect(transformFor(PODS, 'labels: a=b, fields: "spec.nodeName=x", namespaces: { exclude: [q] }')).toBe(null);
    expect(transformFor(SECRETS, 'secrets: plain')).toBe(null);
  });

  test('names are filtered without a parse, and the object itself is handed on', () => {
    const transform = needed(PODS, 'namespaces: { exclude: ["*-sandbox"] }, names: { exclude: ["b*"] }');
    const kept = { ...rawOf('not json at all'), namespace: 'web', name: 'a' };
    expect(transform.apply(kept)).toEqual({ keep: true, source: kept, contentHash: null });
    expect(transform.apply({ ...kept, namespace: 'x-sandbox' })).toEqual({ keep: false });
    expect(transform.apply({ ...kept, name: 'bb' })).toEqual({ keep: false });
  });
});

describe('selectors that the server cannot evaluate', () => {
  test('an object that does not match is not kept; numbers, booleans and absence compare as text', () => {
    const transform = needed(WIDGETS, 'fields: "spec.size=3,spec.on=true,spec.gone="');
    const object = { metadata: { name: 'a' }, spec: { size: 3, on: true } };
    expect(run(transform, object)?.text).toBe(JSON.stringify(object));
    expect(run(transform, { ...object, spec: { size: 4, on: true } })).toBe(null);
    expect(run(transform, { ...object, spec: { size: 3, on: true, gone: 'no' } })).toBe(null);
  });
});

describe('masks', () => {
  test('a value of any type becomes "***" and nothing else changes', () => {
    const transform = needed(PODS, 'mask: ["spec.containers[*].env[*].value", data.*]');
    const object = pod({
      spec: { containers: [{ name: 'c', env: [{ name: 'A', value: 'secret' }, { name: 'B' }, { value: { deep: 1 } }] }] },
      data: { x: 1, y: null },
    });
    expect(JSON.parse(run(transform, object)?.text ?? '')).toEqual(
      pod({ spec: { containers: [{ name: 'c', env: [{ name: 'A', value: '***' }, { name: 'B' }, { value: '***' }] }] }, data: { x: '***', y: '***' } }),
    );
  });

  test('the copy that kubectl apply keeps in an annotation is masked too', () => {
    const transform = needed(DEPLOYMENTS, 'mask: ["spec.template.spec.containers[*].env[*].value"]');
    const spec = { template: { spec: { containers: [{ env: [{ name: 'A', value: 'canary-1' }] }] } } };
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ spec }), other: 'x' };
    const text = run(transform, { metadata: { name: 'a', annotations }, spec })?.text ?? '';
    expect(text).not.toContain('canary-1');
    expect(JSON.parse(text).metadata.annotations.other).toBe('x');
    const broken = { 'kubectl.kubernetes.io/last-applied-configuration': '{"canary-1' };
    expect(run(transform, { metadata: { name: 'a', annotations: broken }, spec })?.text).not.toContain('canary-1');
  });

  test('numbers elsewhere come out as they went in: 64-bit integers, fractions, exponents, minus zero', () => {
    const transform = needed(WIDGETS, 'mask: [spec.secret]');
    const text = (secret: string): string =>
      `{"metadata":{"name":"a"},"spec":{"big":9223372036854775807,"list":[1.0,-0,1e3,0.1,12345678901234567890],"secret":${secret}},"__proto__":{"x":1.50}}`;
    const result = transform.apply({ ...rawOf(text('"s"')), name: 'a' });
    expect(result.keep && textOf(result.source)).toBe(text('"***"'));
  });

  test('a large object after a small one, and text beyond ASCII, come out whole', () => {
    const transform = needed(WIDGETS, 'mask: [spec.secret]');
    for (const size of [1, 100_000, 5, 1_500_000, 20]) {
      const note = 'ü€😀'.repeat(size / 3 + 1);
      expect(run(transform, { metadata: { name: 'a' }, spec: { secret: 1, note } })?.text).toBe(
        JSON.stringify({ metadata: { name: 'a' }, spec: { secret: '***', note } }),
      );
    }
  });
});

describe('ignored changes', () => {
  const node = (heartbeat: string, ready = 'True', revision = '1'): object => ({
    metadata: { name: 'n', resourceVersion: revision, managedFields: [{ time: heartbeat }] },
    status: { conditions: [{ type: 'Ready', status: ready, lastHeartbeatTime: heartbeat }] },
  });

  test('a heartbeat and its revision keep the hash; a change of status does not; the bytes stay as they are', () => {
    const transform = needed(NODES);
    const first = run(transform, node('10:00'));
    expect(first?.hash).toMatch(/^[A-Za-z0-9_-]{16}$/);
    expect(first?.text).toBe(JSON.stringify(node('10:00')));
    expect(run(transform, node('10:05', 'True', '2'))?.hash).toBe(first?.hash);
    expect(run(transform, node('10:05', 'False'))?.hash).not.toBe(first?.hash);
  });

  test('the hash is the same in every process and version', () => {
    expect(run(needed(NODES), node('10:00'))?.hash).toBe('E-lk7AmJOMOXL0zv');
  });

  test('property: the hash ignores exactly the ignored paths', () => {
    const transform = needed(WIDGETS, 'ignoreChanges: ["status.seen", "items[*].at"]');
    const object = fc.record({ a: fc.jsonValue(), seen: fc.jsonValue(), items: fc.array(fc.record({ at: fc.integer(), v: fc.integer() }), { maxLength: 3 }) });
    const build = (value: { a: unknown; seen: unknown; items: unknown }, revision: string): object => ({
      metadata: { name: 'a', resourceVersion: revision },
      spec: value.a,
      status: { seen: value.seen },
      items: value.items,
    });
    fc.assert(
      fc.property(object, object, (one, two) => {
        const strip = (value: typeof one): string => JSON.stringify([value.a, value.items.map(({ v }) => v)]);
        const same = run(transform, build(one, '1'))?.hash === run(transform, build(two, '2'))?.hash;
        expect(same).toBe(strip(one) === strip(two));
        const onlyIgnored = { ...one, seen: two.seen, items: one.items.map(({ v }) => ({ v, at: 99 })) };
        expect(run(transform, build(onlyIgnored, '7'))?.hash).toBe(run(transform, build(one, '1'))?.hash);
      }),
      { numRuns: 500 },
    );
  });
});

describe('Secrets', () => {
  const canaries = ['canary-one-1', 'canary two 2', 'canary-three-3', 'canary-four-4'];
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: {
      name: 's',
      namespace: 'web',
      labels: { app: 'x' },
      annotations: {
        'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ data: { a: base64('canary-one-1') }, stringData: { b: 'canary two 2' } }),
        'other-tool/copy': `{"x":"${base64('canary-three-3')}"}`,
        'note/plain': 'the value is canary-one-1',
        'note/harmless': 'hello',
      },
    },
    data: { a: base64('canary-one-1'), c: base64('canary-three-3'), empty: '' },
    stringData: { b: 'canary two 2', d: 'canary-four-4' },
  };

  test('no value appears anywhere, neither as it is nor in base64; keys, type and harmless annotations stay', () => {
    const text = run(needed(SECRETS, 'secrets: hashed'), secret)?.text ?? '';
    for (const canary of canaries) {
      expect(text).not.toContain(canary);
      expect(text).not.toContain(base64(canary));
    }
    const found = JSON.parse(text);
    expect(found).toMatchObject({ kind: 'Secret', type: 'Opaque', metadata: { name: 's', labels: { app: 'x' }, annotations: { 'note/harmless': 'hello' } } });
    for (const value of [...Object.values(found.data), ...Object.values(found.stringData)]) expect(value).toMatch(/^hmac-sha256:[0-9a-f]{64}$/);
    expect(Object.keys(found.data)).toEqual(['a', 'c', 'empty']);
  });

  test('equal values have equal hashes under one key, other keys give others', () => {
    const one = JSON.parse(run(needed(SECRETS, 'secrets: hashed'), { data: { a: 'eA==', b: 'eA==', c: 'eQ==' } })?.text ?? '').data;
    expect(one.a).toBe(one.b);
    expect(one.a).not.toBe(one.c);
    const plan = planKind(SECRETS, compileRules(loadConfig({ text: 'resources: [{ kinds: [secrets] }]', file: 'x' })));
    const other = createTransform(plan, { secretKey: deriveSecretKey('another') });
    expect(other === null ? null : JSON.parse(run(other, { data: { a: 'eA==' } })?.text ?? '').data.a).not.toBe(one.a);
  });

  test('malformed JSON is an error that quotes nothing of it', () => {
    for (const broken of ['{"data":{"a":"canary-one-1"},,}', '{"data": canary}', '{"a":1.5,"data": canary}', 'canary', '"canary']) {
      try {
        needed(SECRETS, 'secrets: hashed').apply(rawOf(broken));
        expect.unreachable();
      } catch (cause) {
        expect(cause).toBeInstanceOf(SyntaxError);
        expect(String((cause as Error).stack)).not.toContain('canary');
      }
    }
  });
});

describe('twice is once (WL-S6)', () => {
  const anything = fc.record({
    metadata: fc.record({
      name: fc.constant('a'),
      annotations: fc.dictionary(fc.constantFrom('kubectl.kubernetes.io/last-applied-configuration', 'x', 'y'), fc.oneof(fc.string(), fc.json())),
    }),
    data: fc.dictionary(fc.string(), fc.oneof(fc.base64String(), fc.string())),
    spec: fc.jsonValue(),
    type: fc.string(),
  });
  const cases: readonly (readonly [string, Kind, string])[] = [
    ['masks', WIDGETS, 'mask: [data.*, "spec.*.x", "spec[*]", type], ignoreChanges: [spec]'],
    ['Secrets', SECRETS, 'secrets: hashed, ignoreChanges: [type]'],
    ['Secrets with masks', SECRETS, 'secrets: hashed, mask: ["metadata.annotations.x", data.*]'],
  ];
  for (const [name, kind, rule] of cases) {
    test(`property: ${name}`, () => {
      const transform = needed(kind, rule);
      fc.assert(
        fc.property(anything, (object) => {
          const once = run(transform, object);
          const twice = transform.apply({ ...rawOf(once?.text ?? ''), name: 'a' });
          expect(twice.keep && { text: textOf(twice.source), hash: twice.contentHash }).toEqual(once);
        }),
        { numRuns: 500 },
      );
    });
  }
});

describe('labels that the copy has', () => {
  const labelled = (labels: unknown, more: object = {}): object => ({ ...pod(), metadata: { name: 'a', namespace: 'web', labels, ...more } });
  const labelsOf = (text: string | undefined): unknown => JSON.parse(text ?? '').metadata.labels;

  test('are set over those of the object, also where it has none', () => {
    const transform = needed(PODS, 'setLabels: { cluster: member-1, "example.com/team": "" }');
    expect(labelsOf(run(transform, labelled({ cluster: 'other', app: 'x' }))?.text)).toEqual({ cluster: 'member-1', app: 'x', 'example.com/team': '' });
    for (const none of [undefined, null, {}]) expect(labelsOf(run(transform, labelled(none))?.text)).toEqual({ cluster: 'member-1', 'example.com/team': '' });
  });

  test('leave an object that has them as it is, byte by byte', () => {
    const transform = needed(PODS, 'setLabels: { a: b }');
    const text = '{ "metadata": {"labels":{"a":"b"}}, "n": 1.0 }';
    const result = transform.apply(rawOf(text));
    expect(result.keep && textOf(result.source)).toBe(text);
  });

  test('are set before a mask and a removal, as bcs-k8s-watch did, and setting them twice changes nothing', () => {
    for (const [rule, expected] of [
      ['mask: ["metadata.labels.a"]', { a: '***', c: 'd' }],
      ['remove: ["metadata.labels.a"]', { c: 'd' }],
    ] as const) {
      const transform = needed(PODS, `setLabels: { a: b, c: d }, ${rule}`);
      const once = run(transform, labelled({}))?.text ?? '';
      expect(labelsOf(once)).toEqual(expected);
      expect(run(transform, JSON.parse(once))?.text).toBe(once);
    }
  });

  test('are what a selector of this program meets, so that a row passes as its object did', () => {
    const transform = needed(PODS, 'setLabels: { a: b }, fields: "metadata.labels.a=b"');
    const once = run(transform, labelled({ a: 'c' }));
    expect(run(transform, JSON.parse(once?.text ?? ''))?.text).toBe(once?.text);
  });

  test('stay out of what kubectl apply left in an annotation: nobody applied them', () => {
    const applied = '{"metadata":{"labels":{"x":"y"}}}';
    const transform = needed(PODS, 'setLabels: { a: b }');
    const text = run(transform, labelled({ x: 'y' }, { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': applied } }))?.text ?? '';
    expect(JSON.parse(text).metadata).toMatchObject({
      labels: { x: 'y', a: 'b' },
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': applied },
    });
  });
});

describe('fields that the copy does not have', () => {
  const body = { spec: { a: 1, list: [{ token: 't', keep: 1 }, { keep: 2 }] }, data: { '80': 'x', 'a.b': 'y' } };

  test('are gone, where mask would leave a sign', () => {
    const transform = needed(PODS, `remove: [spec.a, 'spec.list[0].token', 'data["a.b"]', 'data["80"]', spec.gone]`);
    expect(JSON.parse(run(transform, pod(body))?.text ?? '')).toEqual(pod({ spec: { list: [{ keep: 1 }, { keep: 2 }] }, data: {} }));
  });

  test('are gone from the copy of kubectl apply too, and doing it twice changes nothing', () => {
    const transform = needed(PODS, 'remove: [spec.a]');
    const applied = { metadata: { name: 'a', annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{"spec":{"a":1,"b":2}}' } } };
    const once = run(transform, pod(applied))?.text ?? '';
    expect(JSON.parse(once)).toMatchObject({ metadata: { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{"spec":{"b":2}}' } } });
    expect(run(transform, JSON.parse(once))?.text).toBe(once);
  });

  test('may be so in some namespaces only', () => {
    const transform = needed(PODS, 'remove: [{ path: spec.a, namespaces: [web, "x-*"] }]');
    const left = (namespace: string): unknown => {
      const source = rawOf(pod({ spec: { a: 1, b: 2 } }, namespace));
      const result = transform.apply({ ...source, namespace });
      return result.keep ? JSON.parse(textOf(result.source)).spec : null;
    };
    expect([left('web'), left('x-1'), left('other')]).toEqual([{ b: 2 }, { b: 2 }, { a: 1, b: 2 }]);
  });
});

test('an exception passes whatever the filters of its rule say', () => {
  const transform = needed(PODS, 'namespaces: { exclude: [kube-system] }, names: { exclude: [n] }, always: ["kube-system/kube-*"]');
  const kept = (namespace: string, name: string): boolean => transform.apply({ ...rawOf('not json'), namespace, name }).keep;
  expect([kept('kube-system', 'kube-a'), kept('kube-system', 'a'), kept('web', 'n'), kept('web', 'kube-a'), kept('web', 'm')]).toEqual([
    true,
    false,
    false,
    true,
    true,
  ]);
});
