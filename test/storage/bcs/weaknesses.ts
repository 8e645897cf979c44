/** One row of table 4.1 of the wire specification: what bcs-k8s-watch was proven to do, and which tests show that kubefold does not. */
export type Weakness =
  | { readonly number: number; readonly weakness: string; readonly shownIn: readonly string[] }
  | { readonly number: number; readonly weakness: string; readonly doesNotApply: string };

const MIRROR = 'storage/bcs/mirror.net.test.ts';
const WEAKNESSES_NET = 'storage/bcs/weaknesses.net.test.ts';
const KINDS = 'storage/bcs/kinds.net.test.ts';
const FAULTS = 'storage/bcs/faults.net.test.ts';
const STORM = 'storage/bcs/storm.test.ts';
const LIST = 'storage/bcs/stored-list.test.ts';
const CONNECTIONS = 'storage/bcs/connections.net.test.ts';
const PROGRAM = 'commands/bcs-run.net.test.ts';

/** All rows, by their numbers. A test names them in its title as `4.1 #7`, or several as `4.1 #7, #8`. Paths are below test/. */
export const WEAKNESSES: readonly Weakness[] = [
  { number: 1, weakness: 'updates are lost when a queue is full', shownIn: [WEAKNESSES_NET, MIRROR, STORM] },
  { number: 2, weakness: 'writes and deletes of the synchronisation are lost when its queue is full', shownIn: [WEAKNESSES_NET, MIRROR, STORM] },
  { number: 3, weakness: 'nothing is reconciled while it runs', shownIn: [MIRROR] },
  { number: 4, weakness: 'the synchronisation compares names only', shownIn: [MIRROR] },
  { number: 5, weakness: 'what goes with its namespace, kind or CRD while it is away is never removed', shownIn: [MIRROR, WEAKNESSES_NET, KINDS] },
  { number: 6, weakness: 'one page is read of cluster-scoped kinds', shownIn: [LIST, KINDS] },
  { number: 7, weakness: 'pages by offset of an unsorted list that is being written', shownIn: [LIST] },
  { number: 8, weakness: 'an older state can land after a newer one', shownIn: [FAULTS, MIRROR, STORM] },
  {
    number: 9,
    weakness: 'double work at boot, and every object again at a restart',
    shownIn: [MIRROR, 'storage/bcs/restart.net.test.ts', KINDS],
  },
  { number: 10, weakness: 'the first list after an expired watch rewrites everything', shownIn: [WEAKNESSES_NET] },
  { number: 11, weakness: 'heartbeats of nodes are written when times in managedFields change', shownIn: [WEAKNESSES_NET] },
  {
    number: 12,
    weakness: 'no backoff, and a poisoned object is tried for ever',
    shownIn: ['storage/bcs/backoff.test.ts', FAULTS, 'storage/bcs/envelope.test.ts'],
  },
  { number: 13, weakness: 'one slow call stalls its whole queue', shownIn: [CONNECTIONS] },
  { number: 14, weakness: 'an Event is lost on the first failed PUT', shownIn: [FAULTS] },
  { number: 15, weakness: 'SIGTERM drains nothing', shownIn: [PROGRAM, MIRROR] },
  {
    number: 16,
    weakness: 'no leader election',
    doesNotApply:
      'there is one replica: the Deployment of manifests/ is of strategy Recreate (test/manifests). Replicas that elect come with the Lease of section 8 of the design, which is a matter of the operator and not of this engine',
  },
  { number: 17, weakness: 'it crashes when the filter file is missing or invalid', shownIn: [PROGRAM] },
  { number: 18, weakness: 'an Event document without metadata kills it', shownIn: [WEAKNESSES_NET, LIST] },
  { number: 19, weakness: 'it crashes when a CRD appears while workers read a map', shownIn: [WEAKNESSES_NET] },
  { number: 20, weakness: 'objects in the cache are changed while others read them', shownIn: ['storage/bcs/weaknesses.test.ts'] },
  {
    number: 21,
    weakness: 'it panics on set-based selectors, on services that cannot be reached, and on failed discovery',
    shownIn: [WEAKNESSES_NET, CONNECTIONS],
  },
  { number: 22, weakness: 'it hangs, and says that it is healthy', shownIn: [WEAKNESSES_NET] },
  { number: 23, weakness: 'one broken aggregated API leaves three kinds', shownIn: [WEAKNESSES_NET] },
  { number: 24, weakness: 'two kinds of one Kind overwrite each other', shownIn: ['storage/bcs/type-names.test.ts', KINDS, LIST] },
  { number: 25, weakness: 'a connection for each request, and certificates that are not verified', shownIn: [CONNECTIONS] },
  { number: 26, weakness: 'each body is encoded twice', shownIn: ['storage/bcs/documents.test.ts'] },
  { number: 27, weakness: 'queues hold copies of objects', shownIn: [WEAKNESSES_NET] },
  { number: 28, weakness: 'all keys are copied every second to count them', shownIn: [WEAKNESSES_NET] },
  { number: 29, weakness: 'two log lines a write, and whole objects in the log', shownIn: [WEAKNESSES_NET, 'storage/bcs/envelope.test.ts'] },
  { number: 30, weakness: 'profiles are served to everybody', shownIn: [WEAKNESSES_NET] },
  { number: 31, weakness: 'paths and queries are not escaped', shownIn: ['storage/bcs/documents.test.ts'] },
  { number: 32, weakness: 'custom resources bypass filters, masks and selectors', shownIn: [WEAKNESSES_NET] },
  { number: 33, weakness: 'changes of CRDs are ignored', shownIn: [WEAKNESSES_NET] },
  { number: 34, weakness: 'the workload that a Pod names is never refreshed', shownIn: [WEAKNESSES_NET, 'storage/bcs/workloads.net.test.ts'] },
  { number: 35, weakness: 'nothing tells how fresh the copy is, or which object was dropped', shownIn: [WEAKNESSES_NET] },
  { number: 36, weakness: 'the configuration is not validated, and a port in use ends it with 0', shownIn: [PROGRAM, 'config/storage-url.test.ts'] },
];
