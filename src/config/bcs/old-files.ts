import type { JsonText } from './json-text.ts';
import { type Findings, OldSection } from './reader.ts';

/** `bcs-k8s-watch.json`, as far as it decides anything. Texts are `''` when absent. */
export interface OldConfig {
  readonly clusterId: string;
  readonly namespace: string;
  readonly disableCrd: boolean;
  readonly disableNetservice: boolean;
  /** By Kind. */
  readonly labelSelectors: ReadonlyMap<string, string>;
  readonly endpoints: readonly string[];
  readonly zookeepers: string;
  readonly netserviceEndpoints: string;
  readonly tls: { readonly caFile: string; readonly certFile: string; readonly keyFile: string; readonly hasPassword: boolean };
  /** Null when not given. */
  readonly writerQueueLen: number | null;
  readonly podQueueNum: number;
  readonly kubeconfig: string;
  readonly master: string;
  readonly masterTls: { readonly caFile: string; readonly certFile: string; readonly keyFile: string };
  readonly filterConfigPath: string;
  readonly address: string;
  readonly port: number | null;
  readonly metricPort: number | null;
  readonly server: { readonly caFile: string; readonly certFile: string; readonly keyFile: string };
  /** Level of glog, null when not given. */
  readonly verbosity: number | null;
  /** Keys that have no counterpart and are set to something, as paths. */
  readonly present: ReadonlySet<string>;
}

/** `filter.json`. */
export interface OldFilter {
  readonly whiteList: readonly string[];
  readonly crdWhiteList: readonly string[];
  /** By group and version; of two entries the later counts. No kinds: all. */
  readonly exceptions: ReadonlyMap<string, readonly string[]>;
  readonly specification: ReadonlyMap<string, readonly string[]>;
  readonly namespaces: readonly string[];
  readonly names: readonly string[];
  readonly maskers: readonly { readonly kind: string; readonly namespace: string; readonly path: readonly string[] }[];
  readonly keepsManagedFields: boolean;
  readonly present: ReadonlySet<string>;
}

const PORTS = { min: 0, max: 65535 };
const COUNTS = { min: -(2 ** 31), max: 2 ** 31 };
/** Keys at the top that only need a word, if they are set. */
const TOP_KEYS = [
  ...['pid_dir', 'debug_mode', 'file', 'log_dir', 'log_max_size', 'log_max_num', 'logtostderr', 'alsologtostderr', 'stderrthreshold', 'vmodule'],
  ...['log_backtrace_at', 'ipv6_address', 'insecure_address', 'insecure_port', 'external_ip', 'external_ipv6', 'external_port'],
];

export function readOldConfig(json: JsonText, findings: Findings): OldConfig {
  const top = new OldSection(json.value, [], json, findings);
  const main = top.section('default');
  const watch = top.section('watch_resource');
  const bcs = top.section('bcs');
  const bcsTls = bcs.section('tls');
  const k8s = top.section('k8s');
  const k8sTls = k8s.section('tls');
  const present = new Set([
    ...TOP_KEYS.filter((key) => top.has(key)),
    ...['hostIP', 'environment'].filter((key) => main.has(key)).map((key) => `default.${key}`),
    ...(bcs.has('is-external') ? ['bcs.is-external'] : []),
  ]);
  const files = (section: OldSection) => ({ caFile: section.text('ca-file'), certFile: section.text('cert-file'), keyFile: section.text('key-file') });
  k8sTls.text('password');
  const config = {
    clusterId: main.text('clusterID'),
    namespace: watch.text('namespace'),
    disableCrd: watch.flag('disable_crd'),
    disableNetservice: watch.flag('disable_netservice'),
    labelSelectors: watch.textsByKey('label_selectors'),
    endpoints: commaList(bcs.text('custom-storage-endpoints')),
    zookeepers: bcs.text('netservice-zookeepers') || bcs.text('zk'),
    netserviceEndpoints: bcs.text('custom-netservice-endpoints'),
    tls: { ...files(bcsTls), hasPassword: bcsTls.text('password') !== '' },
    writerQueueLen: bcs.integer('writerQueueLen', COUNTS),
    podQueueNum: bcs.integer('podQueueNum', COUNTS) ?? 0,
    kubeconfig: k8s.text('kubeconfig'),
    master: k8s.text('master'),
    masterTls: files(k8sTls),
    filterConfigPath: top.text('filterConfigPath'),
    address: top.text('address'),
    port: top.integer('port', PORTS),
    metricPort: top.integer('metric_port', PORTS),
    server: { caFile: top.text('ca_file'), certFile: top.text('server_cert_file'), keyFile: top.text('server_key_file') },
    verbosity: top.integer('v', COUNTS),
    present,
  };
  bcs.text('zk');
  for (const section of [top, main, watch, bcs, bcsTls, k8s, k8sTls]) section.noteUnknown();
  return config;
}

export function readOldFilter(json: JsonText, findings: Findings): OldFilter {
  const top = new OldSection(json.value, [], json, findings);
  const byVersion = (key: string): ReadonlyMap<string, readonly string[]> =>
    new Map(
      top.sections(key).map((entry) => {
        const pair = [entry.text('groupVersion'), entry.texts('resourceKinds')] as const;
        entry.noteUnknown();
        return pair;
      }),
    );
  const filter = {
    whiteList: top.texts('k8sResourceWhiteList'),
    crdWhiteList: top.texts('crdResourceWhiteList'),
    exceptions: byVersion('apiResourceException'),
    specification: byVersion('apiResourceSpecification'),
    namespaces: top.texts('resourceNamespaceFilters'),
    names: top.texts('resourceNameFilters'),
    maskers: top.sections('resourceMaskers').map((entry) => {
      const masker = { kind: entry.text('kind'), namespace: entry.text('namespace'), path: entry.texts('path') };
      entry.noteUnknown();
      return masker;
    }),
    keepsManagedFields: top.flag('isFilterManagedFields'),
    present: new Set(['apiResourceLists', 'crdVersionSupport'].filter((key) => top.has(key))),
  };
  top.noteUnknown();
  return filter;
}

function commaList(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
