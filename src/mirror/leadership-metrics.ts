import type { Leadership } from './leadership.ts';
import type { Metrics } from './metrics.ts';

/** One lease, or what stands for it where nobody elects. */
export interface LeaseShown {
  /** Null where nobody elects. */
  readonly name: string | null;
  readonly shard: number;
  /** Whether this process writes. */
  readonly isLeading: boolean;
  readonly slowPaths: number;
}

/** The one lease of a process that writes everything or nothing; of null nobody elects, and it writes. */
export function leaseOf(leadership: Pick<Leadership, 'isLeading' | 'slowPaths' | 'name'> | null): LeaseShown {
  if (leadership === null) return { name: null, shard: 0, isLeading: true, slowPaths: 0 };
  const { name, isLeading, slowPaths } = leadership;
  return { name, shard: 0, isLeading, slowPaths };
}

/** What is told of the elections of this process, one for each shard. */
export function showLeadership(metrics: Pick<Metrics, 'computed'>, leases: () => readonly LeaseShown[]): void {
  const leader = 'kubefold_leader';
  metrics.computed({
    name: leader,
    help: 'Whether this process writes the shard: it holds the lease of that, or nobody elects',
    type: 'gauge',
    read: () => leases().map(({ shard, isLeading }) => ({ metricName: leader, labels: { shard: String(shard) }, value: isLeading ? 1 : 0 })),
  });
  if (leases().every(({ name }) => name === null)) return;
  const named = (metricName: string, read: (lease: LeaseShown) => number) => () =>
    leases().map((lease) => ({ metricName, labels: { name: lease.name ?? '' }, value: read(lease) }));
  const master = 'leader_election_master_status';
  metrics.computed({
    name: master,
    help: 'Whether this process holds the lease of that name, and writes',
    type: 'gauge',
    read: named(master, ({ isLeading }) => (isLeading ? 1 : 0)),
  });
  const slow = 'leader_election_slowpath_total';
  metrics.computed({
    name: slow,
    help: 'Renewals of the lease that failed at first, so that it had to be read again',
    type: 'counter',
    read: named(slow, ({ slowPaths }) => slowPaths),
  });
}
