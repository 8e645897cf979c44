import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { filterPathOf, importBcs, type Imported, isOldConfig } from '../../../src/config/bcs/import.ts';
import { maskerPaths } from '../../../src/config/bcs/masker-path.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { compileRules, planKind } from '../../../src/config/rules.ts';
import type { Config } from '../../../src/config/schema.ts';
import { UsageError } from '../../../src/model/errors.ts';
import { kindOf } from '../kinds.ts';

const shipped = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');

type Json = Readonly<Record<string, unknown>>;
const GOOD = { default: { clusterID: 'BCS-K8S-1' }, bcs: { 'custom-storage-endpoints': 'http://storage:50024' } };

function convert(main: Json | string, filter: Json | string = { k8sResourceWhiteList: ['v1'] }, given?: { storage: boolean; clusterName: boolean }): Imported {
  const text = (value: Json | string): string => (typeof value === 'string' ? value : JSON.stringify(value));
  return importBcs({ name: 'main.json', text: text(main) }, { name: 'filter.json', text: text(filter) }, given);
}

const configOf = (imported: Imported): Config => loadConfig({ text: imported.yaml, file: 'imported.yaml' });
const noteOf = (imported: Imported, key: string): string =>
  imported.notes
    .filter((note) => note.key === key)
    .map(({ type, text }) => `${type}: ${text}`)
    .join('\n');

function refusal(main: Json | string, filter?: Json | string): readonly string[] {
  try {
    convert(main, filter);
  } catch (cause) {
    expect(cause).toBeInstanceOf(UsageError);
    return (cause as UsageError).message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
  throw new Error('a refusal was expected');
}

describe('the files as they were shipped', () => {
  const imported = convert(shipped('bcs-k8s-watch.json'), shipped('filter.json'));
  const config = configOf(imported);
  const isMirrored = (kind: string): boolean => planKind(kindOf(kind), compileRules(config)).mirror;

  test.each([
    ...['v1 pods Pod', 'v1 services Service', '!v1 nodes Node', '!v1 namespaces Namespace', 'v1 events Event', '!v1 persistentvolumes PersistentVolume'],
    ...['v1 persistentvolumeclaims PersistentVolumeClaim', 'v1 replicationcontrollers ReplicationController', 'v1 resourcequotas ResourceQuota'],
    ...['v1 limitranges LimitRange', 'v1 podtemplates PodTemplate', 'apps/v1 deployments Deployment', 'apps/v1 daemonsets DaemonSet'],
    ...['apps/v1 statefulsets StatefulSet', 'apps/v1 replicasets ReplicaSet', 'apps/v1 controllerrevisions ControllerRevision', 'batch/v1 jobs Job'],
    ...['batch/v1 cronjobs CronJob', '!storage.k8s.io/v1 storageclasses StorageClass', 'types.kubefed.io/v1beta1 federatedservices FederatedService'],
  ])('mirror %s', (kind) => expect(isMirrored(kind)).toBe(true));

  test.each([
    ...[
      'v1 configmaps ConfigMap',
      'v1 secrets Secret',
      'v1 endpoints Endpoints',
      'v1 serviceaccounts ServiceAccount',
      '!rbac.authorization.k8s.io/v1 clusterroles ClusterRole',
    ],
    ...[
      'networking.k8s.io/v1 ingresses Ingress',
      'autoscaling/v2 horizontalpodautoscalers HorizontalPodAutoscaler',
      'policy/v1 poddisruptionbudgets PodDisruptionBudget',
    ],
    ...['discovery.k8s.io/v1 endpointslices EndpointSlice', '!admissionregistration.k8s.io/v1 validatingwebhookconfigurations ValidatingWebhookConfiguration'],
    ...['!storage.k8s.io/v1 csinodes CSINode', 'coordination.k8s.io/v1 leases Lease', 'events.k8s.io/v1 events Event', 'example.com/v1 widgets Widget'],
    ...['tkex.tencent.com/v1alpha1 gamedeployments GameDeployment'],
  ])('do not mirror %s', (kind) => expect(isMirrored(kind)).toBe(false));

  test('give cluster, storage, workers and address', () => {
    expect(config.cluster.name).toBe('BCS-K8S-00001');
    expect(config.storage.url).toBe('bcs+https://storage-1.example:50024,storage-2.example:50024');
    expect(config.storage.tls).toEqual({
      caFile: '/data/bcs/cert/bcs-ca.crt',
      certFile: '/data/bcs/cert/bcs-client.crt',
      keyFile: '/data/bcs/cert/bcs-client.key',
    });
    expect(config.workers).toEqual({ default: 4, pods: 30, events: 120 });
    expect(config.listen).toBe('127.0.0.1:8080');
    expect(config.log.level).toBe('info');
    expect(config.metrics.bcsNames).toBe(true);
  });

  test('are named key by key where they were not carried over, on standard error as in the YAML, each once, and no password is in either', () => {
    const keys = [
      'bcs.tls.password',
      'bcs.writerQueueLen',
      'address',
      'metric_port',
      'pid_dir',
      'default.hostIP, default.environment',
      'apiResourceLists and crdVersionSupport',
    ];
    for (const key of keys) {
      expect(
        imported.notes.filter((note) => note.key === key),
        key,
      ).toHaveLength(1);
      expect(imported.yaml.split(`# - ${key}: `), key).toHaveLength(2);
    }
    expect(imported.yaml + JSON.stringify(imported.notes)).not.toContain('geheim');
    expect(noteOf(imported, 'crdResourceWhiteList')).toMatch(/"gamedeployments\.tkex\.tencent\.com".* never matched/);
    expect(noteOf(imported, 'k8sResourceWhiteList')).toMatch(/Ingresses \(networking\.k8s\.io\/v1\)/);
  });
});

describe('single settings', () => {
  test('podQueueNum becomes workers, within their bounds; 0 leaves the defaults', () => {
    const workers = (podQueueNum: number): unknown => configOf(convert({ ...GOOD, bcs: { ...GOOD.bcs, podQueueNum } })).workers;
    expect(workers(0)).toEqual({ default: 4 });
    expect(workers(8)).toEqual({ default: 4, pods: 8, events: 32 });
    expect(workers(300)).toEqual({ default: 4, pods: 300, events: 1024 });
  });

  test('a loopback address and its port are kept; others are named and become loopback', () => {
    expect(configOf(convert({ ...GOOD, address: '::1', port: 9090 })).listen).toBe('[::1]:9090');
    const open = convert({ ...GOOD, address: '10.0.0.7', port: 9090, server_cert_file: '/c', server_key_file: '/k', ca_file: '/ca' });
    expect(configOf(open)).toMatchObject({ listen: '127.0.0.1:9090', tls: { certFile: '/c', keyFile: '/k' } });
    expect(noteOf(open, 'address')).toMatch(/^lost: .*"10\.0\.0\.7".*auth\.tokenFile/);
    expect(noteOf(open, 'ca_file')).toMatch(/client certificates are not asked for/);
  });

  test('one namespace: no cluster-scoped kinds, except custom resources, as before', () => {
    const rules = compileRules(
      configOf(convert({ ...GOOD, watch_resource: { namespace: 'team-a' } }, { k8sResourceWhiteList: ['v1'], crdResourceWhiteList: ['example.com/v1'] })),
    );
    const plan = (kind: string) => planKind(kindOf(kind), rules);
    expect([plan('!v1 nodes Node').mirror, plan('!v1 namespaces Namespace').mirror, plan('!example.com/v1 gadgets Gadget').mirror]).toEqual([
      false,
      false,
      true,
    ]);
    expect([plan('v1 pods Pod').scopes, plan('example.com/v1 widgets Widget').scopes]).toEqual([['team-a'], ['team-a']]);
  });

  test('a set-based selector, with which the old program crashed, works', () => {
    const imported = convert({ ...GOOD, watch_resource: { label_selectors: { Pod: 'app in (a,b)' } } });
    expect(planKind(kindOf('v1 pods Pod'), compileRules(configOf(imported)))).toMatchObject({ labelSelector: 'app in (a,b)', setLabels: {} });
    expect(noteOf(imported, 'watch_resource.label_selectors.Pod')).toMatch(/^differs: .*ended at its start/);
  });

  test('the labels of a selector are set in every object, of custom resources too', () => {
    const imported = convert(
      { ...GOOD, watch_resource: { label_selectors: { Pod: 'a=b, c.example.com/d=', Widget: 'e=f' } } },
      { k8sResourceWhiteList: ['v1'], crdResourceWhiteList: ['example.com/v1'] },
    );
    const rules = compileRules(configOf(imported));
    expect(planKind(kindOf('v1 pods Pod'), rules)).toMatchObject({ labelSelector: 'a=b, c.example.com/d=', setLabels: { a: 'b', 'c.example.com/d': '' } });
    expect(planKind(kindOf('example.com/v1 widgets Widget'), rules).setLabels).toEqual({ e: 'f' });
    expect(planKind(kindOf('v1 services Service'), rules).setLabels).toEqual({});
    expect(imported.notes.map(({ key }) => key).join()).not.toContain('label_selectors');
  });

  test('Secrets that no exception bans are mirrored as readable as before, and that is said', () => {
    const imported = convert(GOOD);
    expect(planKind(kindOf('v1 secrets Secret'), compileRules(configOf(imported)))).toMatchObject({ mirror: true, secrets: 'plain' });
    expect(noteOf(imported, 'k8sResourceWhiteList')).toMatch(/differs: Secrets are mirrored with their values readable/);
  });

  test('pods get their top workload, wherever they are stored, and that it is kept right is said (weakness 34)', () => {
    const imported = convert(GOOD, { k8sResourceWhiteList: ['v1', 'apps/v1'] });
    const rules = { ...compileRules(configOf(imported)), annotatesPods: false };
    expect(['v1 pods Pod', 'apps/v1 replicasets ReplicaSet'].map((text) => planKind(kindOf(text), rules).annotateWorkload)).toEqual([true, false]);
    expect(noteOf(imported, 'k8sResourceWhiteList')).toMatch(/writes a Pod again when that changes/);
  });

  test('the same Events in two groups are mirrored once (weakness 24)', () => {
    const imported = convert(GOOD, { k8sResourceWhiteList: ['v1', 'events.k8s.io/v1'] });
    const rules = compileRules(configOf(imported));
    expect([planKind(kindOf('v1 events Event'), rules).mirror, planKind(kindOf('events.k8s.io/v1 events Event'), rules).mirror]).toEqual([true, false]);
    expect(noteOf(imported, 'k8sResourceWhiteList')).toMatch(/knows a kind by its name alone/);
  });

  test('that custom resources pass all filters is kept and named (weakness 32)', () => {
    const imported = convert(GOOD, { k8sResourceWhiteList: ['v1'], crdResourceWhiteList: ['example.com/v1'], resourceNamespaceFilters: ['kube-system'] });
    expect(planKind(kindOf('example.com/v1 widgets Widget'), compileRules(configOf(imported))).fieldSelector).toBe(null);
    expect(noteOf(imported, 'crdResourceWhiteList')).toMatch(/^differs: .*never applied to custom resources/);
  });

  test('a masker that would have hidden nothing for want of an index hides in each element', () => {
    const imported = convert(GOOD, { k8sResourceWhiteList: ['v1'], resourceMaskers: [{ kind: 'Pod', namespace: '', path: ['spec', 'containers', 'env'] }] });
    expect(planKind(kindOf('v1 pods Pod'), compileRules(configOf(imported))).remove.map(({ path }) => path.text)).toEqual(['spec.containers.env']);
    expect(noteOf(imported, 'resourceMaskers')).toMatch(/each of its elements/);
  });

  test('maskers that cannot be carried over are named with the reason', () => {
    const resourceMaskers = [
      { kind: 'Pod', namespace: '', path: ['metadata', 'uid'] },
      { kind: 'Widget', namespace: '', path: ['spec'] },
      { kind: 'Pod', namespace: '', path: [] },
      { kind: 'Pod', namespace: 'Not A Namespace', path: ['spec'] },
    ];
    const imported = convert(GOOD, {
      k8sResourceWhiteList: ['v1'],
      apiResourceSpecification: [{ groupVersion: 'v1', resourceKinds: ['Pod'] }],
      resourceMaskers,
    });
    expect(resourceMaskers.map((_, index) => noteOf(imported, `resourceMaskers[${index}]`))).toEqual([
      'lost: ["metadata","uid"] of "Pod" would take out metadata.uid, by which kubefold finds the object.',
      'lost: ["spec"] of "Widget": no kind of this name is watched, or only as a custom resource, which the old program never masked.',
      'lost: [] of "Pod": the path is empty.',
      'lost: ["spec"] of "Pod": no namespace can be called "Not A Namespace".',
    ]);
  });

  test('a number in a path may be a key or an index', () => {
    expect(maskerPaths(['data', '8080'])).toEqual(['data.8080']);
    expect(maskerPaths(['a', '0', 'b'])).toEqual(['a.0.b', 'a[0].b']);
    expect(maskerPaths(['a', '0', '1', 'b'])).toEqual(['a.0.1.b', 'a.0[1].b', 'a[0].1.b']);
    expect(maskerPaths(['a.b', '*', 'x"y'])).toEqual(['["a.b"]["*"]["x\\"y"]']);
    expect(maskerPaths([])).toEqual([]);
  });

  test('kubeconfig is handed on; a master becomes a kubeconfig to save', () => {
    expect(convert({ ...GOOD, k8s: { kubeconfig: '/k', master: 'https://m' } })).toMatchObject({ kubeconfig: '/k', master: '' });
    const imported = convert({ ...GOOD, k8s: { master: 'https://m:6443', tls: { 'ca-file': '/ca', 'cert-file': '/c', 'key-file': '/key' } } });
    expect(imported.master).toBe('https://m:6443');
    expect(noteOf(imported, 'k8s.master')).toMatch(/"server":"https:\/\/m:6443","certificate-authority":"\/ca".*"client-key":"\/key"/);
  });

  test('what the old program ignored is a note, with what was probably meant; case does not matter to it', () => {
    const imported = convert({ ...GOOD, bcs: { ...GOOD.bcs, podQueueNumm: 3, WriterQueueLen: 20000 } }, { k8sResourceWhitelist: ['v1'], whatever: 1 });
    expect(noteOf(imported, 'bcs.podQueueNumm')).toBe('lost: bcs-k8s-watch does not know this key and ignored it. Was "podQueueNum" meant?');
    expect(noteOf(imported, 'whatever')).toBe('lost: bcs-k8s-watch does not know this key and ignored it.');
    expect(noteOf(imported, 'bcs.writerQueueLen')).toMatch(/^lost: there is no queue of snapshots/);
    expect(planKind(kindOf('v1 pods Pod'), compileRules(configOf(imported))).mirror).toBe(true);
  });

  test('the ZooKeeper of NetService is carried over when it was in use, and only then; bcs.zk stands in for it', () => {
    const key = 'bcs.netservice-zookeepers';
    for (const [name, servers, expected] of [
      [key, 'zk-1:2181,zk-2:2182', ['zk-1:2181', 'zk-2:2182']],
      ['bcs.zk', ' zk-1 , zk-2:2182', ['zk-1:2181', 'zk-2:2182']],
    ] as const) {
      const bcs = { ...GOOD.bcs, [name.slice(4)]: servers };
      const imported = convert({ ...GOOD, bcs });
      expect(configOf(imported).netservice).toEqual({ endpoints: null, zookeeper: expected, zookeeperAuthFile: null });
      expect(noteOf(imported, key)).toMatch(/^differs: .*netservice\.zookeeperAuthFile/);
      expect(configOf(convert({ ...GOOD, bcs, watch_resource: { disable_netservice: true } })).netservice.zookeeper).toBeNull();
    }
    const odd = convert({ ...GOOD, bcs: { ...GOOD.bcs, 'netservice-zookeepers': 'zk-1:2181,zk-2:x' } });
    expect(configOf(odd).netservice.zookeeper).toBeNull();
    expect(noteOf(odd, key)).toMatch(/^lost: "zk-2:x" cannot be the address of a ZooKeeper, so none is asked: .*netservice\.endpoints/);
  });

  test('servers of NetService that are named are asked directly; a scheme is added where none is', () => {
    const bcs = { ...GOOD.bcs, 'custom-netservice-endpoints': 'net-1:8080,https://net-2:8443' };
    expect(configOf(convert({ ...GOOD, bcs })).netservice.endpoints).toEqual(['http://net-1:8080', 'https://net-2:8443']);
    expect(configOf(convert({ ...GOOD, bcs, watch_resource: { disable_netservice: true } })).netservice.endpoints).toBeNull();
  });
});

describe('bad files are refused with place, key, rule, value and a way out', () => {
  const endpoints = (text: string): Json => ({ ...GOOD, bcs: { 'custom-storage-endpoints': text } });
  test.each<[string, Json | string, RegExp]>([
    [
      'an endpoint without scheme',
      endpoints('storage:50024'),
      /^main\.json:1:\d+: bcs\.custom-storage-endpoints must begin with http:\/\/ or https:\/\/, found "storage:50024"\. Write each/,
    ],
    ['no endpoint (weakness 36)', endpoints(''), /bcs\.custom-storage-endpoints must name the storage service.*--storage URL/],
    ['endpoints of both kinds', endpoints('http://a:1,https://b:1'), /must be http or https .* not both kinds/],
    ['an endpoint with a password', endpoints('http://me:geheim@a:1'), /must be an address like http:\/\/host:port.*found "http:\/\/\*\*\*@a:1"/],
    ['no cluster (weakness 36)', { ...GOOD, default: {} }, /default\.clusterID must be set.*--cluster-name/],
    ['a namespace that is none', { ...GOOD, watch_resource: { namespace: 'a,b' } }, /watch_resource\.namespace must be the name of one namespace, found "a,b"/],
    [
      'a selector that is none (weakness 21)',
      { ...GOOD, watch_resource: { label_selectors: { Pod: 'a==,=' } } },
      /label_selectors\.Pod must be a label selector/,
    ],
    [
      'a text for a number',
      { ...GOOD, port: '8080' },
      /^main\.json:1:\d+: port must be a whole number from 0 to 65535, found "8080"\. Write it without quotes/,
    ],
    ['a list for a mapping', { ...GOOD, k8s: [] }, /k8s must be a mapping, found an empty list/],
    [
      'JSON that is broken',
      '{\n  "default": {"clusterID": "x"},\n  "bcs": {"zk" "geheim"}\n}',
      /^main\.json:3:16: not valid JSON: expected ":", found something else\.$/,
    ],
    ['JSON with a comma too many', '{"default": {},}', /^main\.json:1:16: not valid JSON: expected a key in double quotes, found "}"/],
    ['JSON that ends early', '{"default": [1, {', /^main\.json:1:18: not valid JSON: expected a key in double quotes or "}", found the end of the file/],
    ['JSON with something behind it', '{} x', /^main\.json:1:4: not valid JSON: expected the end of the file/],
  ])('%s', (_, main, message) => {
    const lines = refusal(main);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(message);
    expect(lines.join()).not.toContain('geheim');
  });

  test('all at once, in the order of the file', () => {
    const main = '{ "default": {},\n  "bcs": { "custom-storage-endpoints": "a:1" },\n  "watch_resource": { "namespace": "A" } }';
    expect(refusal(main).map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'main.json:1:14: default.clusterID',
      'main.json:2:40: bcs.custom-storage-endpoints',
      'main.json:3:36: watch_resource.namespace',
    ]);
  });

  test('a broken filter file is named, not the other (weakness 17)', () => {
    expect(refusal(GOOD, '{"k8sResourceWhiteList": ["v1"')[0]).toMatch(/^filter\.json:1:31: not valid JSON/);
    expect(refusal(GOOD, { k8sResourceWhiteList: 'v1' })[0]).toMatch(/^filter\.json:1:25: k8sResourceWhiteList must be a list, found "v1"/);
  });

  test('options of the command line stand for what the file lacks', () => {
    expect(configOf(convert({}, undefined, { storage: true, clusterName: true })).cluster.name).toBe(null);
  });
});

test('the old format is known by its keys, even when it is broken, and ours is not taken for it', () => {
  expect(isOldConfig(shipped('bcs-k8s-watch.json'))).toBe(true);
  expect(isOldConfig('\uFEFF\n{ "watch_resource": {')).toBe(true);
  for (const text of ['', 'cluster: { name: x }', '{ "cluster": { "name": "clusterID" } }', '# "clusterID": x', shipped('filter.json')])
    expect(isOldConfig(text)).toBe(false);
  expect(filterPathOf({ name: 'main.json', text: shipped('bcs-k8s-watch.json') })).toBe('filter.json');
});
