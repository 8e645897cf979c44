import type { Leadership } from './leadership.ts';
import type { Metrics } from './metrics.ts';

/** What is told of the election; null where nobody elects, and this process writes. */
export function showLeadership(metrics: Pick<Metrics, 'computed'>, leadership: Pick<Leadership, 'isLeading' | 'slowPaths' | 'name'> | null): void {
  const leader = 'kubefold_leader';
  metrics.computed({
    name: leader,
    help: 'Whether this process writes the copy: it leads, or nobody elects',
    type: 'gauge',
    read: () => [{ metricName: leader, labels: { shard: '0' }, value: leadership?.isLeading === false ? 0 : 1 }],
  });
  if (leadership === null) return;
  const { name } = leadership;
  const master = 'leader_election_master_status';
  metrics.computed({
    name: master,
    help: 'Whether this process holds the lease of that name, and writes',
    type: 'gauge',
    read: () => [{ metricName: master, labels: { name }, value: leadership.isLeading ? 1 : 0 }],
  });
  const slow = 'leader_election_slowpath_total';
  metrics.computed({
    name: slow,
    help: 'Renewals of the lease that failed at first, so that it had to be read again',
    type: 'counter',
    read: () => [{ metricName: slow, labels: { name }, value: leadership.slowPaths }],
  });
}
