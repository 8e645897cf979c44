import { isLoopback } from '../listen.ts';
import { isZookeeper } from '../netservice-schema.ts';
import { parseBcsUrl } from '../storage-url.ts';
import { type Note, quoted } from './note.ts';
import type { OldConfig } from './old-files.ts';
import type { Entry } from './yaml-text.ts';

type Refuse = (key: string, rule: string, found: string, fix: string) => void;

const MOST_WORKERS = 1024;
/** The old program had so many Event queues for each Pod queue. */
const EVENT_FACTOR = 4;

/** What is not about kinds, as entries of the YAML file. */
export function settings(
  config: OldConfig,
  given: { readonly storage: boolean; readonly clusterName: boolean },
  notes: Note[],
  refuse: Refuse,
): readonly Entry[] {
  const entries = [
    clusterEntry(config, given.clusterName, refuse),
    storageEntry(config, given.storage, notes, refuse),
    workersEntry(config, notes),
    ...webEntries(config, notes),
    netserviceEntry(config, given.storage, notes),
    logEntry(config, notes),
    { comment: 'The names that dashboards of bcs-k8s-watch use, beside ours.', key: 'metrics', value: { bcsNames: true } },
  ].filter((entry) => entry !== null);
  noteTheRest(config, notes);
  return entries;
}

function clusterEntry({ clusterId }: OldConfig, isGiven: boolean, refuse: Refuse): Entry | null {
  if (/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/.test(clusterId))
    return { comment: 'default.clusterID: it is in every address of the storage service.', key: 'cluster', value: { name: clusterId } };
  if (clusterId === '' && isGiven) return null;
  const rule = clusterId === '' ? 'must be set: without it the old program wrote under an empty name' : 'must be letters, digits, dots, dashes or underscores';
  refuse('default.clusterID', rule, quoted(clusterId), 'Write the name of the cluster, for example BCS-K8S-00001, or give --cluster-name to kubefold run.');
  return null;
}

function storageEntry({ endpoints, tls }: OldConfig, isGiven: boolean, notes: Note[], refuse: Refuse): Entry | null {
  const key = 'bcs.custom-storage-endpoints';
  const fix = 'Write each with its scheme: "http://storage-1:50024,http://storage-2:50024".';
  if (endpoints.length === 0) {
    if (!isGiven)
      refuse(
        key,
        'must name the storage service: discovery of it through ZooKeeper is gone from bcs-k8s-watch too, which wrote nothing without it',
        '""',
        `${fix} Or give --storage URL to kubefold run.`,
      );
    return null;
  }
  const parsed = endpoints.map((endpoint) => ({ endpoint, parts: /^(https?):\/\/([^/?#@\s]+)(\/[^?#\s]*)?$/i.exec(endpoint) }));
  for (const { endpoint, parts } of parsed) {
    if (parts !== null) continue;
    const shown = quoted(endpoint.replace(/\/\/.*@/s, '//***@'));
    const rule = /^https?:\/\//i.test(endpoint) ? 'must be an address like http://host:port, without user and query' : 'must begin with http:// or https://';
    refuse(key, rule, shown, fix);
  }
  const good = parsed.flatMap(({ parts }) =>
    parts === null ? [] : [{ scheme: (parts[1] ?? '').toLowerCase(), host: parts[2] ?? '', path: (parts[3] ?? '').replace(/\/+$/, '') }],
  );
  const [first] = good;
  if (first === undefined || good.length < endpoints.length) return null;
  if (good.some(({ scheme, path }) => scheme !== first.scheme || path !== first.path)) {
    refuse(
      key,
      'must be http or https with one path for all endpoints, not both kinds',
      quoted(endpoints.join(',')),
      'Keep those that belong together, the safer ones if in doubt.',
    );
    return null;
  }
  const url = `bcs+${first.scheme}://${[...new Set(good.map(({ host }) => host))].join(',')}${first.path}`;
  const checked = parseBcsUrl(url);
  if ('rule' in checked) {
    refuse(key, checked.rule, quoted(endpoints.join(',')), fix);
    return null;
  }
  return { comment: 'bcs.custom-storage-endpoints.', key: 'storage', value: { url, ...storageTls(first.scheme === 'https', tls, notes) } };
}

function storageTls(isHttps: boolean, tls: OldConfig['tls'], notes: Note[]): { readonly tls?: Readonly<Record<string, string>> } {
  const { caFile, certFile, keyFile, hasPassword } = tls;
  if (!isHttps) {
    if (caFile + certFile + keyFile !== '' || hasPassword)
      notes.push({ key: 'bcs.tls', type: 'lost', text: 'every endpoint is plain http, so there is no TLS, as before.' });
    return {};
  }
  notes.push({
    key: 'bcs.tls.ca-file',
    type: 'differs',
    text: `the certificate of the service is verified, which bcs-k8s-watch did not do: ${caFile === '' ? "it must come from a CA that the system knows, or name the CA's file in storage.tls.caFile" : 'it must come from this CA and have the name or address of the endpoint in it'}.`,
  });
  if (hasPassword) {
    const text =
      'kubefold reads keys without a passphrase only. Decrypt the key (openssl pkey -in KEY -out NEWKEY), make it readable for kubefold alone, and name it in storage.tls.keyFile.';
    notes.push({ key: 'bcs.tls.password', type: 'lost', text });
  }
  const isPair = certFile !== '' && keyFile !== '';
  if (!isPair && certFile + keyFile !== '')
    notes.push({
      key: certFile === '' ? 'bcs.tls.key-file' : 'bcs.tls.cert-file',
      type: 'lost',
      text: 'a client certificate needs both cert-file and key-file; without the other it had no use.',
    });
  const files = { ...(caFile === '' ? {} : { caFile }), ...(isPair ? { certFile, keyFile } : {}) };
  return Object.keys(files).length === 0 ? {} : { tls: files };
}

function workersEntry({ podQueueNum, writerQueueLen }: OldConfig, notes: Note[]): Entry | null {
  if (writerQueueLen !== null) {
    const text = 'there is no queue of snapshots to size: the queue holds keys, one for each object that changed, and drops none.';
    notes.push({ key: 'bcs.writerQueueLen', type: 'lost', text });
  }
  if (podQueueNum <= 0) return null;
  const pods = Math.min(podQueueNum, MOST_WORKERS);
  const events = Math.min(podQueueNum * EVENT_FACTOR, MOST_WORKERS);
  const least = podQueueNum * EVENT_FACTOR > MOST_WORKERS ? `, at most ${MOST_WORKERS}` : '';
  notes.push({
    key: 'bcs.podQueueNum',
    type: 'differs',
    text: `${podQueueNum} queues for Pods and ${EVENT_FACTOR} times as many for Events, each with one writer, become ${pods} and ${events} workers${least}. A worker takes any key that waits, so none stands idle beside a full queue; one object is still written by one worker at a time. Other kinds had one writer and have 4. limits.storage.concurrency (256) bounds the requests of all of them.`,
  });
  return {
    comment: 'bcs.podQueueNum: as many writers at once as there were queues, Events 4 times as many. Other kinds had one and have 4 (workers.default).',
    key: 'workers',
    value: { pods, events },
  };
}

function webEntries(config: OldConfig, notes: Note[]): readonly Entry[] {
  const { server } = config;
  const host = config.address === '' ? '127.0.0.1' : config.address;
  const port = config.port ?? 8080;
  const address = { host: host.replace(/^\[|\]$/g, ''), port };
  const isLocal = isLoopback(address);
  if (!isLocal) {
    const text = `kubefold serves ${quoted(host)} only with TLS and a token, so it listens on 127.0.0.1:${port}: probe it inside the container (manifests/ shows how), or set listen, tls and auth.tokenFile.`;
    notes.push({ key: 'address', type: 'lost', text });
  }
  const metrics = `/metrics is on the same port as health, ${port}; a scrape of port ${config.metricPort ?? 8081} finds nothing.`;
  notes.push({ key: 'metric_port', type: 'lost', text: `${metrics} pprof is not offered.` });
  if (server.caFile !== '')
    notes.push({ key: 'ca_file', type: 'lost', text: 'client certificates are not asked for; readers show a bearer token (auth.tokenFile).' });
  const shown = !isLocal ? '127.0.0.1' : address.host.includes(':') ? `[${address.host}]` : address.host;
  const entries: Entry[] = [{ comment: 'address and port: health, metrics, status page.', key: 'listen', value: `${shown}:${port}` }];
  if (server.certFile !== '' && server.keyFile !== '') {
    entries.push({
      comment: 'server_cert_file and server_key_file: used on addresses that are not loopback, together with auth.tokenFile.',
      key: 'tls',
      value: { certFile: server.certFile, keyFile: server.keyFile },
    });
  } else if (server.certFile + server.keyFile !== '') {
    notes.push({ key: server.certFile === '' ? 'server_key_file' : 'server_cert_file', type: 'lost', text: 'certificate and key are only used together.' });
  }
  return entries;
}

function logEntry({ verbosity, present }: OldConfig, notes: Note[]): Entry | null {
  const files = ['log_dir', 'log_max_size', 'log_max_num', 'logtostderr', 'alsologtostderr', 'stderrthreshold', 'vmodule', 'log_backtrace_at'].filter((key) =>
    present.has(key),
  );
  if (files.length > 0)
    notes.push({
      key: files.join(', '),
      type: 'lost',
      text: 'kubefold writes its log to standard error, one JSON line each, and whoever runs it keeps and rotates it.',
    });
  if (verbosity === null) return null;
  return { comment: 'v: 4 and more is debug.', key: 'log', value: { level: verbosity >= 4 ? 'debug' : 'info' } };
}

function noteTheRest(config: OldConfig, notes: Note[]): void {
  const { present } = config;
  const lost = (key: string, text: string): void => void notes.push({ key, type: 'lost', text });
  const unused = [...present].filter((key) => /^(?:default\.|bcs\.is-external|file$|ipv6_|insecure_|external_)/.test(key));
  if (unused.length > 0) lost(unused.join(', '), 'bcs-k8s-watch did not use it either.');
  if (present.has('pid_dir')) lost('pid_dir', 'kubefold writes no pid file; its supervisor knows the process.');
  if (present.has('debug_mode')) lost('debug_mode', 'there are no profiling routes. node --cpu-prof profiles, log.level: debug says more.');
  if (config.kubeconfig !== '') {
    notes.push({
      key: 'k8s.kubeconfig',
      type: 'differs',
      text: `it is no part of the configuration: start with --kubeconfig ${config.kubeconfig}. kubefold run with the two old files does so by itself.`,
    });
  } else if (config.master !== '')
    lost('k8s.master', `kubefold reads a kubeconfig. This one says the same, save it and name it with --kubeconfig: ${kubeconfigFor(config)}`);
}

/** The pools are documents of the storage service, so they need one. */
function netserviceEntry(config: OldConfig, isStorageGiven: boolean, notes: Note[]): Entry | null {
  if (config.disableNetservice) return null;
  const listed = config.netserviceEndpoints.split(/[,;\s]+/).filter((endpoint) => endpoint !== '');
  if (isStorageGiven) {
    if (config.zookeepers + config.netserviceEndpoints !== '')
      notes.push({
        key: 'bcs.netservice-zookeepers, bcs.custom-netservice-endpoints',
        type: 'lost',
        text: 'the IP pools of NetService are documents of the storage service, and another storage was named.',
      });
    return null;
  }
  if (listed.length === 0) return zookeeperEntry(config, notes);
  const endpoints = listed.map((endpoint) => (/^https?:\/\//i.test(endpoint) ? endpoint : `http://${endpoint}`));
  return { comment: 'bcs.custom-netservice-endpoints: asked directly, without ZooKeeper.', key: 'netservice', value: { endpoints } };
}

/** NetServices register themselves in a ZooKeeper. */
function zookeeperEntry({ zookeepers }: OldConfig, notes: Note[]): Entry | null {
  const key = 'bcs.netservice-zookeepers';
  const listed = zookeepers.split(/[,;\s]+/).filter((server) => server !== '');
  const zookeeper = listed.map((server) => (server.includes(':') ? server : `${server}:2181`));
  const bad = zookeeper.filter((server) => !isZookeeper(server));
  if (bad.length > 0) {
    const text = `${bad.map(quoted).join(', ')} cannot be the address of a ZooKeeper, so none is asked: name its servers as HOST:PORT in netservice.zookeeper, or the NetServices in netservice.endpoints.`;
    notes.push({ key, type: 'lost', text });
    return null;
  }
  if (zookeeper.length === 0) return null;
  const text =
    'the user and password that a platform may have built into bcs-k8s-watch are not known here. If the log says that the registrations may not be read, write them as user:password into a file and name it in netservice.zookeeperAuthFile.';
  notes.push({ key, type: 'differs', text });
  return { comment: `${key}: where the NetServices register themselves.`, key: 'netservice', value: { zookeeper } };
}

/** On one line; JSON is YAML. */
function kubeconfigFor({ master, masterTls }: OldConfig): string {
  const { caFile, certFile, keyFile } = masterTls;
  const isHttps = master.startsWith('https:');
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'bcs',
    clusters: [{ name: 'bcs', cluster: { server: master, ...(isHttps && caFile !== '' ? { 'certificate-authority': caFile } : {}) } }],
    users: [{ name: 'bcs', user: isHttps && certFile !== '' ? { 'client-certificate': certFile, 'client-key': keyFile } : {} }],
    contexts: [{ name: 'bcs', context: { cluster: 'bcs', user: 'bcs' } }],
  });
}
