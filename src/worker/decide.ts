import type { KnownObject } from '../cache/entry.ts';

/** What to do with a key, seen from the newest state of its object. */
export type Decision =
  | { readonly do: 'nothing' }
  /** It waits for a person (storage refused this very state, or its deletion is held), or for a second look. */
  | { readonly do: 'parked' }
  /** The object was written too short a time ago (minIntervalSeconds): not before `ms`. */
  | { readonly do: 'wait'; readonly ms: number }
  /** Its JSON was let go for lack of room: read it from the API server. */
  | { readonly do: 'read' }
  | { readonly do: 'put' }
  | { readonly do: 'delete' };

const NOTHING: Decision = { do: 'nothing' };
const PARKED: Decision = { do: 'parked' };
const READ: Decision = { do: 'read' };
const PUT: Decision = { do: 'put' };
const DELETE: Decision = { do: 'delete' };

/**
 * Level-triggered: looks only at what is, never at what happened. Missing in the cluster means delete; what storage
 * already holds means nothing. `known` must be read after the key was taken (WQ-S3).
 */
export function decide(known: KnownObject | undefined, now: number, minIntervalMs: number): Decision {
  if (known === undefined) return NOTHING;
  if (known.refused || known.held || known.contested) return PARKED;
  if (known.pending === null) return NOTHING;
  if (known.gone) return known.storedUid === null && known.maybeUids.length === 0 ? NOTHING : DELETE;
  const durable = known.settled === known.revision && known.storedUid === known.uid && !known.rewrite && !known.regressed;
  if (durable) return NOTHING;
  const waitMs = known.writtenAt === null ? 0 : known.writtenAt + minIntervalMs - now;
  if (waitMs > 0) return { do: 'wait', ms: waitMs };
  return known.body === null ? READ : PUT;
}
