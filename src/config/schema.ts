import * as v from 'valibot';
import { formatByteSize, parseByteSize } from './byte-size.ts';
import { DEFAULTS } from './defaults.ts';
import { isPattern } from './glob.ts';
import { parseListen } from './listen.ts';
import { leaderElectionProblems, leaderElectionSchema } from './leader-election-schema.ts';
import { netserviceProblems, netserviceSchema } from './netservice-schema.ts';
import { ruleSchema, rulePatternSchema } from './rule-schema.ts';
import { checkStorageUrl } from './storage-url.ts';
import { choice, described, integer, nonEmptyList, nullable, problem, section, share, text } from './schema-parts.ts';
import { authSchema, debugSchema, metricsSchema, surfaceProblems, tlsSchema } from './surface-schema.ts';

const LATER = {
  history: 'Checked now; acted on by the release with the change log.',
} as const;

/** Bytes, written as a number or with a unit; at least `min`. */
function bytes(fallback: number, description: string, min = 1) {
  const least = min === 1 ? '' : `, ${formatByteSize(min)} or more`;
  const rule = problem(`must be a size in bytes${least}`, 'Write it like 128MiB, 1GiB or 1048576, or leave it out for the default.');
  return v.optional(
    described(
      v.pipe(
        v.union([v.number(rule), v.string(rule)], rule),
        v.rawTransform<number | string, number>(({ dataset, addIssue, NEVER }) => {
          const size = parseByteSize(String(dataset.value));
          if (size === null || size < min) {
            addIssue({ message: rule });
            return NEVER;
          }
          return size;
        }),
      ),
      description,
    ),
    fallback,
  );
}

const clusterName = v.pipe(
  v.string(problem('must be a text', 'For example prod-eu-1.')),
  v.regex(
    /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/,
    problem(
      'must be 1 to 253 letters, digits, dots, dashes or underscores, with a letter or digit at both ends',
      'It becomes part of addresses: for example prod-eu-1.',
    ),
  ),
);

const storageUrl = v.pipe(
  v.string(problem('must be a storage URL', `For example ${DEFAULTS.storageUrl}.`)),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const result = checkStorageUrl(dataset.value);
    if ('rule' in result) addIssue({ message: problem(result.rule, result.fix) });
  }),
);

const listen = v.pipe(
  v.string(problem('must be HOST:PORT', `For example ${DEFAULTS.listen}, or off.`)),
  v.check(
    (value) => value === 'off' || parseListen(value) !== null,
    problem('must be HOST:PORT with a port from 0 to 65535', `For example ${DEFAULTS.listen} or [::1]:8080; off serves nothing.`),
  ),
);

const kindName = v.pipe(
  v.string(problem('must be the name of a kind', 'For example pods or deployments.apps.')),
  v.check(
    (name) => !isPattern(name),
    problem('must name one kind, without wildcards', 'For example pods or deployments.apps; workers.default is for all others.'),
  ),
);

const workerCount = (description: string) =>
  integer({ min: 1, max: 1024, fix: 'Use 1 or more. To stop mirroring a kind, give it a rule with mirror: false.', description });

/**
 * The configuration file (design.md section 6). Every key has its meaning, unit and default in its description; `config
 * print` and `config schema` show them. A key missing here is refused by load.ts.
 */
export const configSchema = v.strictObject(
  {
    cluster: section('The cluster as the copy names it.', {
      name: nullable(
        clusterName,
        DEFAULTS.clusterName,
        'Name of the cluster in storage and addresses. Default: from the kubeconfig context; "default" inside a pod. Needs a restart.',
      ),
    }),
    storage: section('Where the copy lives.', {
      url: v.optional(
        described(
          storageUrl,
          `Engine and place: sqlite:FILE, postgres://USER@HOST/DB, bcs+http://HOST:PORT[,HOST:PORT], bcs+https://HOST:PORT, memory: or null:. Default ${DEFAULTS.storageUrl}. Needs a restart.`,
        ),
        DEFAULTS.storageUrl,
      ),
      walBytes: bytes(
        DEFAULTS.walBytes,
        'SQLite: bound of the write-ahead log beside the file. It only grows while another program reads in one transaction without end; at the bound writes wait until that one ends. Size; default 128MiB, at least 8MiB. Needs a restart.',
        8 * 2 ** 20,
      ),
      timeoutSeconds: v.optional(
        integer({ min: 1, max: 300, description: `bcs+http, bcs+https: seconds for one write. Default ${DEFAULTS.storageTimeoutSeconds}. Needs a restart.` }),
        DEFAULTS.storageTimeoutSeconds,
      ),
      tls: section('bcs+https: how the service and this program know each other. Needs a restart.', {
        caFile: nullable(text('The path of a PEM file.'), null, "PEM file with the CA of the service. Default null: those that the system's Node knows."),
        certFile: nullable(text('The path of a PEM file.'), null, 'PEM file with the client certificate. Default null: none is shown.'),
        keyFile: nullable(text('The path of a PEM file.'), null, 'PEM file with its private key, without a passphrase. Default null.'),
      }),
      tokenFile: nullable(
        text('The path of a file.'),
        null,
        'bcs+http, bcs+https: file with a bearer token that every request carries. Default null. Needs a restart.',
      ),
    }),
    netservice: netserviceSchema,
    kinds: nullable(
      nonEmptyList(rulePatternSchema, 'kinds', 'pods, deployments.apps'),
      null,
      'Mirror only these kinds (globs allowed); the rules still apply to them. Default: all. Applies live.',
    ),
    namespaces: nullable(
      nonEmptyList(text('For example [team-a, team-b].'), 'namespaces', 'team-a, team-b'),
      null,
      'Mirror only these namespaces (globs allowed). Cluster-scoped kinds are then left out unless kinds or a rule names them without a wildcard. Default: all. Applies live.',
    ),
    workers: v.optional(
      described(
        v.objectWithRest(
          { default: v.optional(workerCount(`Writers of every kind without its own number. Default ${DEFAULTS.workers}.`), DEFAULTS.workers) },
          workerCount('Writers of this kind.'),
          problem('must be a mapping of kinds to numbers', 'For example { default: 4, pods: 16 }.'),
        ),
        'Parallel writers per kind: default, and any kind by its name. Applies live.',
      ),
      {},
    ),
    limits: section('Budgets around storage and API server. Apply live.', {
      storage: section('Around storage.', {
        concurrency: v.optional(
          integer({ min: 1, max: 65536, description: `Requests under way at once. Default ${DEFAULTS.storageConcurrency}.` }),
          DEFAULTS.storageConcurrency,
        ),
        perSecond: nullable(
          integer({ min: 1, max: 1e6, fix: 'null means no limit.', bare: true }),
          DEFAULTS.storagePerSecond,
          'Requests a second; null means no limit. Default null.',
        ),
      }),
      apiserver: section('Around the API server of the mirrored cluster.', {
        concurrency: v.optional(
          integer({ min: 1, max: 4096, description: `Lists and reads under way at once; watches do not count. Default ${DEFAULTS.apiserverConcurrency}.` }),
          DEFAULTS.apiserverConcurrency,
        ),
        perSecond: nullable(
          integer({ min: 1, max: 1e6, fix: 'null means no limit.', bare: true }),
          DEFAULTS.apiserverPerSecond,
          `Requests a second; null means no limit. Default ${DEFAULTS.apiserverPerSecond}.`,
        ),
      }),
    }),
    resources: v.optional(
      described(
        v.array(ruleSchema, problem('must be a list of rules', 'For example [{ kinds: [secrets], mirror: false }].')),
        'Rules: the first whose kinds match decides alone. Everything else is mirrored whole, except Secrets and Leases. Apply live.',
      ),
      [],
    ),
    listen: v.optional(
      described(
        listen,
        `Address of health, metrics, status page and read API, or off. Anything but loopback needs tls and auth. Default ${DEFAULTS.listen}. Needs a restart.`,
      ),
      DEFAULTS.listen,
    ),
    tls: tlsSchema,
    auth: authSchema,
    metrics: metricsSchema,
    debug: debugSchema,
    log: section('Lines on standard error.', {
      level: v.optional(
        choice(['debug', 'info', 'warn', 'error', 'silent'], `Least important line shown. Default ${DEFAULTS.logLevel}. Applies live.`),
        DEFAULTS.logLevel,
      ),
      format: nullable(choice(['pretty', 'json'], ''), DEFAULTS.logFormat, 'pretty or json. Default: pretty on a terminal, else json. Needs a restart.'),
    }),
    reflector: section('How the cluster is read. Needs a restart.', {
      firstList: v.optional(
        choice(
          ['paged', 'streaming'],
          `How a whole list is first asked for; the other way is the fallback. Default ${DEFAULTS.firstList}: it costs the API server less than half.`,
        ),
        DEFAULTS.firstList,
      ),
    }),
    cache: section('What is kept in memory. Needs a restart.', {
      bodies: v.optional(
        choice(
          ['pending', 'all'],
          `pending keeps the body of an object only while it waits to be written; all keeps every body. all: checked now; acted on by the release with the read API. Default ${DEFAULTS.bodies}.`,
        ),
        DEFAULTS.bodies,
      ),
      pendingBytes: bytes(
        DEFAULTS.pendingBytes,
        'Bound of what waits to be written: half for bodies, which past it are read again from the API server, half for their keys. Size; default 128MiB.',
      ),
    }),
    secrets: section('How Secret values are replaced, where a rule mirrors Secrets. Needs a restart.', {
      hashKeyFile: nullable(
        text('The path of a file.'),
        null,
        'File with the key of the hashes, at least 16 bytes. Default null: derived from the identity of the cluster, which keeps hashes stable but lets anybody who knows it guess weak values.',
      ),
    }),
    shutdown: section('The end of the process. Applies live.', {
      graceSeconds: v.optional(
        integer({
          min: 0,
          max: 3600,
          description: `Seconds to finish what is queued after SIGTERM. Keep it below the pod's terminationGracePeriodSeconds. Default ${DEFAULTS.graceSeconds}.`,
        }),
        DEFAULTS.graceSeconds,
      ),
    }),
    fence: section('When a mass deletion waits for a person: what a list, a rule or a CRD that went would take out of the copy at once. Applies live.', {
      maxDeleteShare: v.optional(
        share(
          `Share of a kind's rows that one pass may delete; more, and the whole pass waits for kubefold confirm. 1 never holds anything. Default ${DEFAULTS.maxDeleteShare}.`,
        ),
        DEFAULTS.maxDeleteShare,
      ),
      minObjects: v.optional(
        integer({ min: 0, max: 1e9, description: `Kinds with fewer rows are not fenced. Default ${DEFAULTS.fenceMinObjects}.` }),
        DEFAULTS.fenceMinObjects,
      ),
      confirmAfterSeconds: nullable(
        integer({ min: 0, max: 1e9, fix: 'null waits for kubefold confirm.', bare: true }),
        null,
        'Seconds after which held deletions happen by themselves; null waits for a person. Default null.',
      ),
    }),
    audit: section('The continuous comparison of cluster and copy: what differs is reported and mended. Applies live.', {
      everySeconds: nullable(
        integer({ min: 10, max: 1e6, fix: 'null switches the audit off.', bare: true }),
        DEFAULTS.auditEverySeconds,
        `Seconds for one round over everything, at least a second for each 500 objects; null switches it off. Default ${DEFAULTS.auditEverySeconds}.`,
      ),
    }),
    history: section(`The change log. ${LATER.history}`, {
      maxAgeHours: v.optional(
        integer({ min: 1, max: 1e6, description: `Hours a change is kept. Default ${DEFAULTS.historyMaxAgeHours}.` }),
        DEFAULTS.historyMaxAgeHours,
      ),
      maxBytes: bytes(DEFAULTS.historyMaxBytes, 'Bound of the change log; the oldest goes first. Size; default 1GiB.'),
      bodies: v.optional(
        described(v.boolean(problem('must be true or false', 'Write bodies: false.')), 'Keep the object of every change, not only its key. Default false.'),
        false,
      ),
    }),
    leaderElection: leaderElectionSchema,
    shards: v.optional(
      integer({
        min: 1,
        max: 1024,
        description: `Parts of the cluster, by a hash of each object's uid, that replicas share evenly: each has its own lease, writer and connections to storage. More than 1 needs leaderElection.enabled; a replica that is alone runs all of them. The same for all replicas. Needs a restart. Default ${DEFAULTS.shards}.`,
      }),
      DEFAULTS.shards,
    ),
  },
  problem('must be a mapping of configuration keys', 'Start with storage: { url: sqlite:./kubefold.db }.'),
);

/** What a file may say. */
export type ConfigInput = v.InferInput<typeof configSchema>;
/** The effective configuration: every default filled in, sizes in bytes. Frozen, with everything in it, by load.ts. */
export type Config = DeepReadonly<v.InferOutput<typeof configSchema>>;

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

/** Rules between keys, which the schema cannot say. */
export function crossChecks(config: Config): readonly { readonly path: readonly (string | number)[]; readonly message: string; readonly found: unknown }[] {
  const found = [];
  for (const name of Object.keys(config.workers)) {
    if (!v.is(kindName, name))
      found.push({
        path: ['workers', name],
        message: problem('must name one kind, without wildcards', 'For example pods or deployments.apps; workers.default is for all others.'),
        found: name,
      });
  }
  for (const { key, message } of netserviceProblems(config.netservice, config.storage.url))
    found.push({ path: ['netservice', key], message, found: config.netservice[key] });
  for (const { key, message } of leaderElectionProblems(config.leaderElection, config.shards))
    found.push({ path: ['leaderElection', key], message, found: config.leaderElection[key] });
  const client = config.storage.tls;
  if ((client.certFile === null) !== (client.keyFile === null)) {
    found.push({
      path: ['storage', 'tls', client.certFile === null ? 'certFile' : 'keyFile'],
      message: problem('must be set together with the other file of the client certificate', 'Set both certFile and keyFile, or neither.'),
      found: null,
    });
  }
  found.push(...surfaceProblems(config));
  return found;
}
