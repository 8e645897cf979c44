import type { Metrics } from './metrics.ts';
import { LOOK_UPS, type LookUp } from './owner-look-ups.ts';

/** What became of owners that were asked for, and how many objects were written again because their top workload became another. */
export interface WorkloadCounts {
  readonly lookUps: Readonly<Record<LookUp, number>>;
  readonly renewed: number;
}

export function noWorkloads(): WorkloadCounts {
  return { lookUps: { stored: 0, found: 0, absent: 0, refused: 0, failed: 0 }, renewed: 0 };
}

export function sumOfWorkloads(parts: readonly WorkloadCounts[]): WorkloadCounts {
  const lookUps = { ...noWorkloads().lookUps };
  for (const part of parts) for (const outcome of LOOK_UPS) lookUps[outcome] += part.lookUps[outcome];
  return { lookUps, renewed: parts.reduce((total, { renewed }) => total + renewed, 0) };
}

export function showWorkloads(metrics: Pick<Metrics, 'computed'>, counts: () => WorkloadCounts): void {
  const lookUps = 'kubefold_owner_lookups_total';
  metrics.computed({
    name: lookUps,
    help: 'Owners of objects whose top workload is asked for that were looked up: read from their row, found by the API server, not there, refused, failed',
    type: 'counter',
    read: () => LOOK_UPS.map((outcome) => ({ metricName: lookUps, labels: { outcome }, value: counts().lookUps[outcome] })),
  });
  const renewals = 'kubefold_workload_renewals_total';
  metrics.computed({
    name: renewals,
    help: 'Objects written again because their top workload became another',
    type: 'counter',
    read: () => [{ metricName: renewals, labels: {}, value: counts().renewed }],
  });
}
