import type { Clock } from '../kit/clock.ts';
import type { KindMirror } from './kind-mirror.ts';
import type { KindStatus } from '../model/status.ts';
import type { KindGauges } from './metrics.ts';
import { watermarkLag } from './lag.ts';

/** Whether every object of the first lists is durable, or parked: the rows are all of the kind that storage takes. Standing by: whether all of them are known. */
export function isComplete({ cache, isSettled, isStandby }: KindMirror): boolean {
  return isStandby ? cache.scopes.every((scope) => scope.complete) : isSettled && cache.scopes.every((scope) => scope.isDone);
}

/** Reads the state of one kind off its parts. */
export function kindStatus(mirror: KindMirror, clock: Clock): KindStatus {
  const now = clock.now();
  const { scopes } = mirror.cache;
  const status = [...mirror.scopeStatus.values()];
  const waiting = status.find((scope) => scope.at === 'waiting');
  const watching = status.length === scopes.length && status.every((scope) => scope.at === 'watching' && scope.connected);
  const heard = scopes.map((scope) => scope.heardAt).filter((at) => at !== null);
  const heardAt = heard.length === 0 ? null : Math.min(...heard);
  const oldest = scopes.map((scope) => scope.positions.oldestAwaited()?.at).filter((at) => at !== undefined);
  // What is not durable is not this process's to write, while it stands by.
  const oldestPendingMs = oldest.length === 0 || mirror.isStandby ? 0 : Math.max(0, now - Math.min(...oldest));
  const silentMs = heardAt === null ? null : Math.max(0, clock.wall() - heardAt);
  const lag = mirror.isStandby ? { revisions: null, ms: 0 } : watermarkLag(scopes, now);
  const only = scopes[0];
  return {
    id: mirror.id,
    state: mirror.isLeaving ? 'leaving' : waiting !== undefined ? 'waiting' : watching ? 'watching' : 'listing',
    objects: mirror.cache.size,
    unsettled: mirror.unsettled,
    complete: isComplete(mirror),
    parked: mirror.parked.size,
    firstParked: mirror.parked.first,
    held: mirror.held.count,
    heldSince: mirror.held.since,
    firstHeld: mirror.held.first,
    damaged: mirror.damaged,
    error: waiting?.at === 'waiting' ? waiting.error : null,
    httpStatus: waiting?.at === 'waiting' ? waiting.httpStatus : null,
    oldestPendingMs,
    heardAt,
    silentMs,
    watermark: scopes.length === 1 && only !== undefined ? only.watermark : null,
    lagRevisions: lag.revisions,
    lagMs: lag.ms,
    ageMs: Math.max(oldestPendingMs, watching ? 0 : (silentMs ?? 0)),
    workers: mirror.workers,
  };
}

/** The same as numbers, for the metrics. */
export function kindGauges(mirror: KindMirror, clock: Clock): KindGauges {
  const status = kindStatus(mirror, clock);
  return {
    id: mirror.id,
    kind: mirror.kind.kind,
    objects: status.objects,
    parked: status.parked,
    held: status.held,
    oldestPendingSeconds: status.oldestPendingMs / 1000,
    heardAtSeconds: status.heardAt === null ? null : status.heardAt / 1000,
    lagRevisions: status.lagRevisions,
    lagSeconds: status.lagMs / 1000,
    queue: mirror.queue.snapshot(),
  };
}
