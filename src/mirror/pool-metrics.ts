import type { Clock } from '../kit/clock.ts';
import type { Kind } from '../model/kind.ts';
import type { PoolStatus } from '../model/status.ts';
import type { BcsRequests } from './bcs-metrics.ts';
import type { ComputedMetric, Metrics } from './metrics.ts';

/** How documents of a NetService do, computed when it is asked for. */
function poolMetrics(status: () => readonly PoolStatus[]): readonly ComputedMetric[] {
  const polls = 'kubefold_netservice_polls_total';
  const failures = 'kubefold_netservice_failures';
  const storedAt = 'kubefold_netservice_stored_timestamp_seconds';
  return [
    {
      name: polls,
      help: 'Polls of a NetService, by the document that was to be stored; outcome stored or failed',
      type: 'counter',
      read: () =>
        status().flatMap(({ document, stored, failed }) => [
          { metricName: polls, labels: { document, outcome: 'stored' }, value: stored },
          { metricName: polls, labels: { document, outcome: 'failed' }, value: failed },
        ]),
    },
    {
      name: failures,
      help: 'Polls of a NetService that failed since the document was stored last; 0 while all is well',
      type: 'gauge',
      read: () => status().map(({ document, failures: count }) => ({ metricName: failures, labels: { document }, value: count })),
    },
    {
      name: storedAt,
      help: 'When the document of a NetService was stored last; none before this process has stored it',
      type: 'gauge',
      read: () => status().flatMap(({ document, storedAt: at }) => (at === null ? [] : [{ metricName: storedAt, labels: { document }, value: at / 1000 }])),
    },
  ];
}

export function showPools(metrics: Metrics, status: () => readonly PoolStatus[]): void {
  for (const metric of poolMetrics(status)) metrics.computed(metric);
}

interface Documents {
  put(type: string, name: string, data: Buffer): Promise<void>;
  close(): Promise<void>;
}

/** The same documents, whose writes are counted as the old program counted them. */
export function observedPools(documents: Documents, requests: BcsRequests, clock: Clock): Documents {
  return {
    async put(type, name, data) {
      const since = clock.now();
      const kind: Kind = { group: '', version: '', kind: type, resource: '', namespaced: false, singular: '', shortNames: [], categories: [] };
      const observe = (outcome: 'written' | 'retry'): void => requests.observe({ type: 'put', kind }, outcome, (clock.now() - since) / 1000);
      await documents.put(type, name, data).then(
        () => observe('written'),
        (cause: unknown) => {
          observe('retry');
          throw cause;
        },
      );
    },
    close: () => documents.close(),
  };
}
