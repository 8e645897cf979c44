import { readFileSync } from 'node:fs';
import { type BcsStorageOptions, startBcsStorage } from '../bcsstorage/server.ts';
import { FAULT_NAMES, parseFault } from '../bcsstorage/faults.ts';
import { isLoopback, listenFailure, parseListen } from '../config/listen.ts';
import { readBearer } from '../kit/bearer.ts';
import { seededRandom } from '../kit/random.ts';
import { aborted } from '../kit/within.ts';
import { messageOf, UsageError } from '../model/errors.ts';
import type { Command, Parsed } from './command.ts';

const DEFAULT_LISTEN = '127.0.0.1:8090';
const DEFAULT_STORAGE = 'sqlite:./kubefold-storage.db';

export const storage: Command = {
  name: 'storage',
  summary: "Serves the old program's storage routes over SQLite, for tests and small installations.",
  usage: '',
  description: `
Serves what bcs-k8s-watch writes to and its readers ask: below /bcsstorage/v1, documents of namespaces and clusters,
lists over several clusters, custom resources, events, typed queries, watches, and DELETE /clusters/ID/data. Answers
are envelopes with HTTP 200, also for errors. Not served: alarms, metric routes, the legacy ZooKeeper store
(/k8s/watch), containers of Mesos, the message queue, and v2.

A PUT whose data has the uid of the stored document and an older resourceVersion is answered as a success with
"stale": true, and changes nothing. Deleted documents count until they are purged, one to two and a half hours
later. After a cluster was restored from a backup, revisions begin anew: empty its data with
DELETE /clusters/ID/data, or use --no-revision-check.

Listens on loopback without credentials. Any other address needs TLS and a client certificate or a bearer token.

  kubefold storage
  kubefold storage --storage memory: --latency-ms 87 --fault 500=0.01 --fault reset-after=0.01
  curl '127.0.0.1:8090/bcsstorage/v1/k8s/dynamic/all_resources/clusters/BCS-K8S-1/Pod?field=resourceName&limit=10'

Faults are NAME=SHARE of the requests or NAME=xN for the first N; a status may add :SECONDS of Retry-After. Names:
${FAULT_NAMES.replace(/(.{1,110})(?: |$)/g, '$1\n').trim()}.
"before" and "after" are meant of the commit.`,
  options: {
    listen: { type: 'string', value: 'HOST:PORT', help: `Default ${DEFAULT_LISTEN}; port 0 takes a free one.` },
    storage: { type: 'string', value: 'URL', help: `sqlite:FILE or memory:. Default ${DEFAULT_STORAGE}.` },
    journal: {
      type: 'string',
      value: 'FILE',
      help: 'Adds one JSON line for each accepted write, in the order of commits: time, method, key, uid, resourceVersion, outcome.',
    },
    'event-days': { type: 'string', value: 'N', help: 'Days that events are kept. Default 15.' },
    'no-revision-check': { type: 'boolean', help: 'The last writer wins, as with the old service.' },
    'tls-cert': { type: 'string', value: 'FILE', help: 'PEM file with the certificate chain. Default: plain HTTP.' },
    'tls-key': { type: 'string', value: 'FILE', help: 'PEM file with its private key.' },
    'client-ca': { type: 'string', value: 'FILE', help: 'PEM file; clients need a certificate signed by one of these authorities.' },
    'token-file': { type: 'string', value: 'FILE', help: 'File with one bearer token that clients must send; read at each request.' },
    'latency-ms': { type: 'string', value: 'N', help: 'Every request takes at least so long. Default 0.' },
    'jitter-ms': { type: 'string', value: 'N', help: 'And up to so much more, at random. Default 0.' },
    fault: { type: 'string', multiple: true, value: 'NAME=SHARE', help: 'Something that goes wrong with requests; see above.' },
    seed: { type: 'string', value: 'N', help: 'Seed of faults and jitter. Default 1.' },
  },
  positionals: { min: 0, max: 0 },
  async run(parsed, context) {
    const listen = parsed.text('listen') ?? DEFAULT_LISTEN;
    const server = await startBcsStorage(storageOptions(parsed, listen)).catch((cause: unknown): never => {
      const { syscall, code } = cause as { readonly syscall?: unknown; readonly code?: unknown };
      throw (syscall === 'listen' || syscall === 'getaddrinfo') && typeof code === 'string' ? listenFailure(listen, code) : cause;
    });
    context.stdout(`serving ${parsed.text('storage') ?? DEFAULT_STORAGE} at ${server.url}/bcsstorage/v1\n`);
    await aborted(context.signal);
    await server.close();
    const { byMethod, mostRequests, mostConnections } = server.stats();
    const requests = Object.values(byMethod).reduce((sum, count) => sum + count, 0);
    context.stdout(`stopped after ${requests} requests, at most ${mostRequests} at once over ${mostConnections} connections\n`);
    return 0;
  },
};

/** Throws UsageError. */
function storageOptions(parsed: Parsed, listen: string): BcsStorageOptions {
  const address = parseListen(listen);
  if (address === null) throw new UsageError(`--listen must be HOST:PORT, found "${listen}". For example ${DEFAULT_LISTEN}, or [::1]:8090.`);
  const tls = tlsOptions(parsed);
  const tokenFile = parsed.text('token-file');
  if (tokenFile !== undefined && readBearer(tokenFile) === null)
    throw new UsageError(`--token-file ${tokenFile} cannot be read or is empty: put one bearer token into it.`);
  if (!isLoopback(address) && (tls === undefined || (tls.ca === undefined && tokenFile === undefined))) {
    throw new UsageError(
      `--listen ${listen} is not a loopback address: anybody who reaches it could change the documents. Use ${DEFAULT_LISTEN}, or give --tls-cert and --tls-key, and --client-ca or --token-file.`,
    );
  }
  const largest = { min: 0, max: 3_600_000 };
  return {
    host: address.host === '' ? '::' : address.host,
    port: address.port,
    path: pathOf(parsed.text('storage') ?? DEFAULT_STORAGE),
    journal: parsed.text('journal'),
    eventDays: parsed.number('event-days', { min: 1, max: 36_500 }, 15),
    checksRevisions: !parsed.flag('no-revision-check'),
    tls,
    token: tokenFile === undefined ? undefined : () => readBearer(tokenFile),
    random: seededRandom(parsed.number('seed', { min: 0, max: 2 ** 32 - 1 }, 1)),
    faults: {
      latencyMs: parsed.number('latency-ms', largest, 0),
      jitterMs: parsed.number('jitter-ms', largest, 0),
      rules: (parsed.texts('fault') ?? []).map(parseFault),
    },
  };
}

function pathOf(url: string): string {
  if (url === 'memory:') return ':memory:';
  const path = url.startsWith('sqlite:') ? url.slice('sqlite:'.length) : '';
  if (path === '' || path === ':memory:') throw new UsageError(`--storage must be sqlite:FILE or memory:, found "${url}". For example ${DEFAULT_STORAGE}.`);
  return path;
}

function tlsOptions(parsed: Parsed): { readonly cert: Buffer; readonly key: Buffer; readonly ca?: Buffer | undefined } | undefined {
  const [certFile, keyFile, caFile] = [parsed.text('tls-cert'), parsed.text('tls-key'), parsed.text('client-ca')];
  if (certFile === undefined && keyFile === undefined && caFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined)
    throw new UsageError('--tls-cert and --tls-key belong together, and --client-ca needs both: give the certificate chain and its private key.');
  return { cert: readPem('tls-cert', certFile), key: readPem('tls-key', keyFile), ca: caFile === undefined ? undefined : readPem('client-ca', caFile) };
}

function readPem(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new UsageError(`--${option} ${path} cannot be read: ${messageOf(cause)}. Name a PEM file.`);
  }
}
