import type { Clock } from '../kit/clock.ts';
import { copyAge, isReady, type MirrorStatus, silence } from '../model/status.ts';
import type { Metrics } from './metrics.ts';
import { showProcess } from './process-metrics.ts';
import { showWorkloads, type WorkloadCounts } from './workload-counts.ts';

/** What is told of all kinds together, and of the process. */
export function showMirror(
  metrics: Metrics,
  { status, workloads, clock }: { readonly status: () => MirrorStatus; readonly workloads: () => WorkloadCounts; readonly clock: Pick<Clock, 'now'> },
): void {
  metrics.gauge('kubefold_ready', 'Whether every kind that rules ask for is complete and durable, except what is parked: what /readyz says', () =>
    isReady(status()) ? 1 : 0,
  );
  const age = 'kubefold_copy_age_seconds';
  metrics.computed({
    name: age,
    help: 'How old the copy may be, as its oldest kind is; 0 while it is current, none before the first sync is durable',
    type: 'gauge',
    read: () => {
      const ms = copyAge(status());
      return ms === null ? [] : [{ metricName: age, labels: {}, value: ms / 1000 }];
    },
  });
  const silent = 'kubefold_silence_seconds';
  metrics.computed({
    name: silent,
    help: 'How long ago the API server was heard last, for whichever kind: a quiet cluster is heard every minute or two; none before the first answer',
    type: 'gauge',
    read: () => {
      const ms = silence(status());
      return ms === null ? [] : [{ metricName: silent, labels: {}, value: ms / 1000 }];
    },
  });
  metrics.gauge('kubefold_config_refused', 'Whether the newest version of the configuration file is refused, and an older one in use', () =>
    (status().configuration?.refused ?? null) === null ? 0 : 1,
  );
  metrics.gauge('kubefold_storage_breaker_open', 'Whether storage is held to be away: changes wait until it takes writes', () =>
    status().storage.open ? 1 : 0,
  );
  metrics.gauge(
    'kubefold_audit_finished_timestamp_seconds',
    'When the last round of the audit over every kind was over; 0 before the first',
    () => (status().audit.last?.finishedAt ?? 0) / 1000,
  );
  showWorkloads(metrics, workloads);
  showProcess(metrics, clock);
}
