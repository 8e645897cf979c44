/**
 * Every default of the configuration, once. The schema, `config print` and the documentation read them from here.
 * Sizes are bytes, times what the name says.
 */
export const DEFAULTS = {
  clusterName: null,
  storageUrl: 'sqlite:./kubefold.db',
  walBytes: 128 * 2 ** 20,
  storageTimeoutSeconds: 5,
  /** Writers per kind. */
  workers: 4,
  storageConcurrency: 256,
  storagePerSecond: null,
  apiserverConcurrency: 8,
  apiserverPerSecond: 50,
  listen: '127.0.0.1:8080',
  logLevel: 'info',
  /** `pretty` on a terminal, else `json`: the command decides while this is null. */
  logFormat: null,
  /** Paged costs the API server 1.4 to 1.7 CPU s for 20,000 pods of 4 KB, streamed 4.1 (design.md section 3). */
  firstList: 'paged',
  bodies: 'pending',
  pendingBytes: 128 * 2 ** 20,
  graceSeconds: 25,
  minIntervalSeconds: 0,
  secrets: 'hashed',
  maxDeleteShare: 0.3,
  fenceMinObjects: 50,
  auditEverySeconds: 300,
  historyMaxAgeHours: 24,
  historyMaxBytes: 2 ** 30,
  shards: 1,
  leaseName: 'kubefold',
  leaseSeconds: 15,
  renewSeconds: 10,
  leaseRetrySeconds: 2,
} as const;

/**
 * Kinds that stay off unless a rule or `kinds` names them without a wildcard. Secrets are a matter of trust
 * (design.md section 3); the others change every few seconds and say nothing about the state of the cluster.
 */
export const OFF_BY_DEFAULT: Readonly<Record<string, string>> = {
  secrets: 'Secrets are off by default',
  'leases.coordination.k8s.io': 'Leases are off by default: heartbeats, renewed every few seconds',
  'leasecandidates.coordination.k8s.io': 'LeaseCandidates are off by default: heartbeats of elections',
};

/** Kinds that are computed when asked for: no uid, no history, nothing to mirror. Rules cannot turn them on. */
export const NEVER_MIRRORED: readonly string[] = [
  'componentstatuses',
  'bindings',
  '*reviews.authorization.k8s.io',
  '*reviews.authentication.k8s.io',
  '*.metrics.k8s.io',
];

/** What is not worth a write unless the matching rule says otherwise with its own `ignoreChanges` (an empty list switches this off). */
export const IGNORED_CHANGES: Readonly<Record<string, readonly string[]>> = {
  nodes: ['status.conditions[*].lastHeartbeatTime'],
};
