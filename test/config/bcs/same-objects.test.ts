import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { importBcs } from '../../../src/config/bcs/import.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { KindPlan } from '../../../src/config/plan.ts';
import { compileRules, planKind } from '../../../src/config/rules.ts';
import { parseFieldSelector, parseLabelSelector } from '../../../src/read/selectors.ts';
import { createTransform } from '../../../src/transform/transform.ts';
import { rawOf, textOf } from '../../transform/raw.ts';
import { kindOf } from '../kinds.ts';
import { type Masker, oldDecision, type OldDecision, type OldFiles, type TestObject } from './old-program.ts';

/** Kinds of Kubernetes itself: those that the old lists are about, and some that they forget. */
const BUILT_IN = [
  ...['v1 pods Pod po', '!v1 nodes Node no', '!v1 namespaces Namespace ns', 'v1 events Event ev', 'v1 configmaps ConfigMap cm', 'v1 secrets Secret'],
  ...['v1 services Service svc', 'apps/v1 deployments Deployment deploy', 'apps/v1 statefulsets StatefulSet sts', 'batch/v1 jobs Job'],
  ...['autoscaling/v2 horizontalpodautoscalers HorizontalPodAutoscaler hpa', 'networking.k8s.io/v1 ingresses Ingress ing'],
  ...['!storage.k8s.io/v1 storageclasses StorageClass sc', '!storage.k8s.io/v1 csinodes CSINode', 'coordination.k8s.io/v1 leases Lease'],
  ...['!rbac.authorization.k8s.io/v1 clusterroles ClusterRole', 'rbac.authorization.k8s.io/v1 roles Role'],
].map(kindOf);
const CUSTOM = [
  'example.com/v1 widgets Widget wd',
  '!example.com/v1 gadgets Gadget',
  'example.com/v2 bindings Binding',
  'types.kubefed.io/v1beta1 federateddeployments FederatedDeployment',
  'serving.example.dev/v1 services Service',
].map(kindOf);
const KINDS = [...BUILT_IN, ...CUSTOM];

const VERSIONS = [
  ...new Set(KINDS.map(({ group, version }) => (group === '' ? version : `${group}/${version}`))),
  'apps/v1beta1',
  'autoscaling/v1',
  'extensions/v1beta1',
];
const CUSTOM_VERSIONS = [
  'example.com/v1',
  'example.com/v2',
  'types.kubefed.io/v1beta1',
  'serving.example.dev/v1',
  'gamedeployments.tkex.tencent.com',
  'v1',
  'apps/v1',
];
const KIND_NAMES = [...new Set(KINDS.map(({ kind }) => kind)), 'ComponentStatus', 'Nothing'];
const NAMESPACES = ['kube-system', 'default', 'team-a', 'team-b'];
const NAMES = ['kubernetes', 'a', 'kube-proxy.1', 'kube-system', 'bcs-x', 'nginx-proxy-1', 'kubedns'];
const LABELS = ['app=web', 'app=web,tier=db', 'tier=db', ''];

const listEntry = fc.record({ groupVersion: fc.constantFrom(...VERSIONS), resourceKinds: fc.array(fc.constantFrom(...KIND_NAMES), { maxLength: 4 }) });

/** Paths that mean the same to both: a list is followed by an index. Where the old one had no effect and ours has is a test of its own. */
const maskerPath = fc.constantFrom(
  ['data'],
  ['data', '8080'],
  ['data', 'a.b'],
  ['data', '*'],
  ['spec', 'replicas'],
  ['spec', 'list', '0', 'token'],
  ['spec', 'list', '1', 'inner', '0', 'token'],
  ['spec', 'list', '7', 'token'],
  ['spec', 'list', '0'],
  ['spec', 'ports', '1', '2'],
  ['metadata', 'labels', 'app'],
  ['metadata', 'name'],
  ['gone', 'for', 'ever'],
  [],
);
const masker: fc.Arbitrary<Masker> = fc.record({
  kind: fc.constantFrom(...KIND_NAMES),
  namespace: fc.constantFrom('', ...NAMESPACES),
  path: maskerPath,
});

const oldFiles: fc.Arbitrary<OldFiles> = fc.record({
  main: fc.record({
    watch_resource: fc.record({
      namespace: fc.constantFrom('', '', '', 'team-a', 'kube-system'),
      disable_crd: fc.boolean(),
      label_selectors: fc.dictionary(fc.constantFrom(...KIND_NAMES), fc.constantFrom(...LABELS), { maxKeys: 2 }),
    }),
  }),
  filter: fc.record({
    k8sResourceWhiteList: fc.array(fc.constantFrom(...VERSIONS), { maxLength: 8 }),
    crdResourceWhiteList: fc.array(fc.constantFrom(...CUSTOM_VERSIONS), { maxLength: 3 }),
    apiResourceException: fc.array(listEntry, { maxLength: 3 }),
    apiResourceSpecification: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.array(listEntry, { maxLength: 4 }) }),
    resourceNamespaceFilters: fc.array(fc.constantFrom('', 'Not*A*Namespace', ...NAMESPACES), { maxLength: 2 }),
    resourceNameFilters: fc.array(fc.constantFrom('', 'kube*', ...NAMES), { maxLength: 2 }),
    resourceMaskers: fc.array(masker, { maxLength: 3 }),
  }),
});

const SPEC = {
  replicas: 3,
  list: [
    { token: 't', keep: 1 },
    { token: 'u', inner: [{ token: 'v', keep: 2 }] },
  ],
  ports: [1, { '2': 'two', keep: 3 }],
};

function* objectsOf(kind: KindPlan['kind']): Generator<TestObject> {
  for (const namespace of kind.namespaced ? NAMESPACES : ['']) {
    for (const name of NAMES) {
      for (const labels of [{}, { app: 'web' }, { app: 'web', tier: 'db' }] as readonly Readonly<Record<string, string>>[]) {
        yield {
          metadata: { namespace, name, labels },
          data: { '8080': 'x', 'a.b': 'y', '*': 'z', keep: 'k' },
          spec: SPEC,
        };
      }
    }
  }
}

const YAML_OF = (files: OldFiles): string => {
  const main = { default: { clusterID: 'BCS-K8S-1' }, bcs: { 'custom-storage-endpoints': 'http://storage:50024' }, ...files.main };
  return importBcs({ name: 'main.json', text: JSON.stringify(main) }, { name: 'filter.json', text: JSON.stringify(files.filter) }).yaml;
};

/** What the API server would send, and what is made of it. */
function ourDecision(plan: KindPlan, object: TestObject, server: 'plain' | 'federated'): OldDecision {
  const { namespace, name, labels } = object.metadata;
  const inScope = plan.mirror && (plan.scopes.includes('') || plan.scopes.includes(namespace));
  const byLabels = server === 'federated' || plan.labelSelector === null || parseLabelSelector(plan.labelSelector).matches(labels);
  const byFields =
    plan.fieldSelector === null ||
    parseFieldSelector(plan.fieldSelector).matches((path) => (path === 'metadata.name' ? name : path === 'metadata.namespace' ? namespace : ''));
  if (!inScope || !byLabels || !byFields) return { kept: false };
  const transform = createTransform({ ...plan, ignoreChanges: [] }, { secretKey: new Uint8Array(32) });
  const done = transform?.apply(rawOf(object)) ?? { keep: true, source: rawOf(object) };
  return done.keep ? { kept: true, object: JSON.parse(textOf(done.source)) as TestObject } : { kept: false };
}

/** kubefold refuses to take out the name of an object: there the import says so, and the old program's answer is not wanted. */
function withoutIdentityMaskers(files: OldFiles): OldFiles {
  return { ...files, filter: { ...files.filter, resourceMaskers: files.filter.resourceMaskers.filter(({ path }) => path.join() !== 'metadata,name') } };
}

describe('the YAML of two old files', () => {
  test('passes our own check, and mirrors exactly the objects that the old program wrote, with the same fields', () => {
    let kept = 0;
    let masked = 0;
    let labelled = 0;
    fc.assert(
      fc.property(oldFiles, (files) => {
        const rules = compileRules(loadConfig({ text: YAML_OF(files), file: 'imported.yaml' }));
        const twin = withoutIdentityMaskers(files);
        for (const kind of KINDS) {
          const plan = planKind(kind, rules);
          for (const object of objectsOf(kind)) {
            const server = object.metadata.name.length % 2 === 0 ? 'plain' : 'federated';
            const expected = oldDecision(twin, kind, CUSTOM.includes(kind), object, server);
            const found = ourDecision(plan, object, server);
            if (expected.kept) kept++;
            if (expected.kept && Object.keys(Object(Object(expected.object['metadata'])['labels'])).length > Object.keys(object.metadata.labels).length)
              labelled++;
            if (expected.kept && JSON.stringify(expected.object) !== JSON.stringify(object)) masked++;
            // Not toEqual for each: a million of them take minutes.
            if (JSON.stringify(found) !== JSON.stringify(expected))
              expect({ kind, object: object.metadata, found }).toEqual({ kind, object: object.metadata, found: expected });
          }
        }
      }),
      { numRuns: 300 },
    );
    expect(kept, 'objects that were kept').toBeGreaterThan(1000);
    expect(masked, 'objects that were masked').toBeGreaterThan(50);
    expect(labelled, 'objects that got a label').toBeGreaterThan(50);
  });

  test('passes our own check whatever JSON the old files are, or says what is wrong', () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    const word = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom('v1', 'a*', '', ' ', 'apps/v1', 'Pod', '"', '#\n- x', '\u2028', 'kube-system'));
    const some = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined });
    const texts = some(fc.array(word, { maxLength: 3 }));
    const entries = some(fc.array(fc.record({ groupVersion: word, resourceKinds: fc.array(word, { maxLength: 3 }) }), { maxLength: 2 }));
    const main = fc.record({
      default: fc.constant({ clusterID: 'BCS-K8S-1', hostIP: 'x' }),
      watch_resource: fc.record({
        namespace: some(fc.constantFrom('', 'a')),
        label_selectors: some(fc.dictionary(word, fc.constantFrom('a=b', ''), { maxKeys: 2 })),
      }),
      bcs: fc.record({
        'custom-storage-endpoints': fc.constantFrom('https://a:1', 'http://a:1, http://b:2/', 'https://gateway/api,https://gateway/api'),
        podQueueNum: some(fc.integer({ min: -5, max: 5000 })),
        tls: some(fc.record({ 'ca-file': word, 'cert-file': word, 'key-file': word, password: word })),
      }),
      k8s: some(fc.record({ kubeconfig: word, master: word })),
      address: some(word),
      port: some(fc.integer({ min: 0, max: 65535 })),
      v: some(fc.nat(9)),
      server_cert_file: some(word),
      server_key_file: some(word),
      anything: some(value),
    });
    const filter = fc.record({
      k8sResourceWhiteList: texts,
      crdResourceWhiteList: texts,
      apiResourceException: entries,
      apiResourceSpecification: entries,
      resourceNamespaceFilters: texts,
      resourceNameFilters: texts,
      resourceMaskers: some(fc.array(fc.record({ kind: word, namespace: word, path: fc.array(word, { maxLength: 4 }) }), { maxLength: 3 })),
      anything: some(value),
    });
    let imported = 0;
    fc.assert(
      fc.property(main, filter, (old, chosen) => {
        const { yaml } = importBcs({ name: 'main.json', text: JSON.stringify(old) }, { name: 'filter.json', text: JSON.stringify(chosen) });
        loadConfig({ text: yaml, file: 'imported.yaml' });
        imported++;
      }),
      { numRuns: 1000 },
    );
    expect(imported).toBe(1000);
  });
});
