import type { Auditor } from '../audit/auditor.ts';
import type { StorageGate } from '../worker/gate.ts';
import type { Metrics } from './metrics.ts';
import type { Workloads } from './workloads.ts';

/** What is told of all kinds together. */
export function showMirror(
  metrics: Metrics,
  { gate, auditor, workloads }: { readonly gate: StorageGate; readonly auditor: Auditor; readonly workloads: Workloads },
): void {
  metrics.gauge('kubefold_storage_breaker_open', 'Whether storage is held to be away: changes wait until it takes writes', () => (gate.isOpen ? 1 : 0));
  metrics.gauge(
    'kubefold_audit_finished_timestamp_seconds',
    'When the last round of the audit over every kind was over; 0 before the first',
    () => (auditor.status().last?.finishedAt ?? 0) / 1000,
  );
  workloads.show(metrics);
}
