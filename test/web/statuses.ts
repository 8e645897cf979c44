import type { KindStatus, MirrorStatus } from '../../src/model/status.ts';

/** A kind in the best of health, but for `over`. */
export function kindIn(over: Partial<KindStatus> = {}): KindStatus {
  const health = { complete: true, parked: 0, firstParked: null, damaged: 0, error: null, httpStatus: null } as const;
  const fence = { held: 0, heldSince: null, firstHeld: null } as const;
  const freshness = { oldestPendingMs: 0, heardAt: 1_700_000_000_000, silentMs: 400, watermark: '77', lagRevisions: 0, lagMs: 0, ageMs: 0 } as const;
  return { id: 'pods', state: 'watching', objects: 5, unsettled: 0, workers: 4, ...health, ...fence, ...freshness, ...over };
}

/** A live mirror of these kinds. */
export function statusOf(kinds: readonly KindStatus[], over: Partial<MirrorStatus> = {}): MirrorStatus {
  const storage = { open: false, since: null, failingMs: 0, error: null } as const;
  const audit = { everySeconds: 300, off: null, last: null } as const;
  const rest = { left: [], broken: [], warnings: [], pendingBytes: 0, storage, audit } as const;
  return { cluster: 'c', address: 'api.example:443', phase: 'live', error: null, isRefused: false, kinds, ...rest, ...over };
}
