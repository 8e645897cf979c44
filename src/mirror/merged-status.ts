import type { AuditStatus, KindStatus, MirrorStatus, StorageStatus } from '../model/status.ts';
import { compareRevisions } from '../model/revision.ts';
import type { KindGauges } from './metrics.ts';

type Phase = MirrorStatus['phase'];
type KindState = KindStatus['state'];

/** The worst first: what a kind waits for in one shard, it waits for. */
const WORST_STATE: readonly KindState[] = ['waiting', 'listing', 'leaving', 'watching'];
const WORST_PHASE: readonly Phase[] = ['connecting', 'syncing', 'standby', 'live'];

/** Several mirrors of one process as one: each kind once, objects summed, ages the oldest, the worst phase. One is shown as it is. */
export function mergedStatus(base: MirrorStatus, parts: readonly MirrorStatus[]): MirrorStatus {
  const [first] = parts;
  if (first === undefined) return base;
  const kinds = [
    ...Map.groupBy(
      parts.flatMap((part) => part.kinds),
      ({ id }) => id,
    ).values(),
  ].map(mergedKind);
  const firsts = <T>(of: (part: MirrorStatus) => readonly T[], key: (item: T) => string): readonly T[] =>
    [
      ...new Map(
        parts
          .flatMap(of)
          .reverse()
          .map((item) => [key(item), item]),
      ).values(),
    ].reverse();
  return {
    ...base,
    phase: mergedPhase(parts),
    error: firstOf(parts, ({ error }) => error),
    isRefused: parts.some(({ isRefused }) => isRefused),
    kinds,
    left: firsts(
      ({ left }) => left,
      ({ id }) => id,
    ),
    broken: firsts(
      ({ broken }) => broken,
      ({ groupVersion }) => groupVersion,
    ),
    warnings: [...new Set(parts.flatMap(({ warnings }) => warnings))],
    pendingBytes: first.pendingBytes,
    storage: mergedStorage(parts.map(({ storage }) => storage)),
    audit: mergedAudit(parts.map(({ audit }) => audit)),
  };
}

/** One that ends while others go on says nothing of them. */
function mergedPhase(parts: readonly MirrorStatus[]): Phase {
  return WORST_PHASE.find((phase) => parts.some((part) => part.phase === phase)) ?? 'stopping';
}

function mergedKind(parts: readonly KindStatus[]): KindStatus {
  const [first] = parts as readonly [KindStatus, ...KindStatus[]];
  if (parts.length === 1) return first;
  const waiting = parts.find(({ error }) => error !== null) ?? first;
  const watermarks = parts.map(({ watermark }) => watermark).filter((watermark) => watermark !== null);
  return {
    id: first.id,
    state: WORST_STATE.find((state) => parts.some((part) => part.state === state)) ?? first.state,
    objects: sum(parts, ({ objects }) => objects),
    unsettled: sum(parts, ({ unsettled }) => unsettled),
    complete: parts.every(({ complete }) => complete),
    parked: sum(parts, ({ parked }) => parked),
    firstParked: firstOf(parts, ({ firstParked }) => firstParked),
    held: sum(parts, ({ held }) => held),
    heldSince: least(parts.map(({ heldSince }) => heldSince)),
    firstHeld: firstOf(parts, ({ firstHeld }) => firstHeld),
    damaged: sum(parts, ({ damaged }) => damaged),
    error: waiting.error,
    httpStatus: waiting.httpStatus,
    oldestPendingMs: most(parts.map((part) => part.oldestPendingMs)) ?? 0,
    heardAt: least(parts.map(({ heardAt }) => heardAt)),
    silentMs: most(parts.map(({ silentMs }) => silentMs)),
    // Up to the lowest all of them are complete.
    watermark: watermarks.length < parts.length ? null : watermarks.reduce((a, b) => (compareRevisions(a, b) <= 0 ? a : b)),
    lagRevisions: most(parts.map(({ lagRevisions }) => lagRevisions)),
    lagMs: most(parts.map(({ lagMs }) => lagMs)) ?? 0,
    ageMs: most(parts.map(({ ageMs }) => ageMs)) ?? 0,
    workers: sum(parts, ({ workers }) => workers),
  };
}

function mergedStorage(parts: readonly StorageStatus[]): StorageStatus {
  return {
    open: parts.some(({ open }) => open),
    since: least(parts.map(({ since }) => since)),
    failingMs: most(parts.map(({ failingMs }) => failingMs)) ?? 0,
    error: firstOf(parts, ({ error }) => error),
  };
}

function mergedAudit(parts: readonly AuditStatus[]): AuditStatus {
  const rounds = parts.map(({ last }) => last).filter((last) => last !== null);
  return {
    everySeconds: parts[0]?.everySeconds ?? null,
    off: firstOf(parts, ({ off }) => off),
    // A round over everything is over when the last shard's is.
    last:
      rounds.length < parts.length
        ? null
        : {
            finishedAt: least(rounds.map(({ finishedAt }) => finishedAt)) ?? 0,
            seconds: most(rounds.map(({ seconds }) => seconds)) ?? 0,
            objects: sum(rounds, ({ objects }) => objects),
            drift: sum(rounds, ({ drift }) => drift),
            untold: sum(rounds, ({ untold }) => untold),
            skipped: [...new Map(rounds.flatMap(({ skipped }) => skipped).map((one) => [one.id, one])).values()],
          },
  };
}

/** The same for the metrics. */
export function mergedGauges(parts: readonly (readonly KindGauges[])[]): readonly KindGauges[] {
  return [...Map.groupBy(parts.flat(), ({ id }) => id).values()].map((kinds) => {
    const [first] = kinds as [KindGauges, ...KindGauges[]];
    if (kinds.length === 1) return first;
    return {
      id: first.id,
      kind: kinds.find(({ kind }) => kind !== '')?.kind ?? '',
      objects: sum(kinds, ({ objects }) => objects),
      parked: sum(kinds, ({ parked }) => parked),
      held: sum(kinds, ({ held }) => held),
      oldestPendingSeconds: most(kinds.map((kind) => kind.oldestPendingSeconds)) ?? 0,
      heardAtSeconds: least(kinds.map((kind) => kind.heardAtSeconds)),
      lagRevisions: most(kinds.map((kind) => kind.lagRevisions)),
      lagSeconds: most(kinds.map((kind) => kind.lagSeconds)) ?? 0,
      queue: {
        depth: sum(kinds, ({ queue }) => queue.depth),
        unfinishedSeconds: sum(kinds, ({ queue }) => queue.unfinishedSeconds),
        longestSeconds: most(kinds.map(({ queue }) => queue.longestSeconds)) ?? 0,
      },
    };
  });
}

function sum<T>(parts: readonly T[], of: (part: T) => number): number {
  return parts.reduce((total, part) => total + of(part), 0);
}

function known(values: readonly (number | null)[]): readonly number[] {
  return values.filter((value) => value !== null);
}

function least(values: readonly (number | null)[]): number | null {
  return known(values).length === 0 ? null : Math.min(...known(values));
}

function most(values: readonly (number | null)[]): number | null {
  return known(values).length === 0 ? null : Math.max(...known(values));
}

function firstOf<T, R>(parts: readonly T[], of: (part: T) => R | null): R | null {
  for (const part of parts) {
    const found = of(part);
    if (found !== null) return found;
  }
  return null;
}
