import { namespaceOf } from '../model/key.ts';
import type { Scope } from '../model/kind.ts';
import type { ParkedRow, ScopeRecord } from '../storage/storage.ts';
import { humanDuration } from './age.ts';

/** How far an answer can be trusted. */
export type Freshness =
  /** The mirror knows all of what was asked for. */
  | { readonly state: 'complete'; readonly text: string }
  /** Objects may be missing or old. */
  | { readonly state: 'partial'; readonly text: string }
  /** Nobody mirrors what was asked for. */
  | { readonly state: 'unknown'; readonly text: string };

/** What storage says of one kind, and what of it was asked for. */
export interface Recorded {
  /** Of the kind. Read before the rows: these are then at least as new as the records say. */
  readonly records: readonly ScopeRecord[];
  /** Of the kind: what storage refused. Read after the rows, or an object may be missing that nobody speaks of. */
  readonly parked: readonly ParkedRow[];
  /** Null for all namespaces and for cluster-scoped kinds. */
  readonly namespace: Scope | null;
}

/** Every watch ends after 10 minutes at most, and its successor is heard: a longer silence is no quiet kind. */
const LONGEST_SILENCE_MS = 15 * 60_000;

/** How old an answer about one kind is. Pure. */
export function freshnessOf({ records, parked, namespace }: Recorded, nowMs: number): Freshness {
  const freshness = freshnessOfRecords(records, namespace, nowMs);
  const refused = parked.filter(({ key }) => namespace === null || namespaceOf(key) === namespace);
  const [first] = refused;
  if (first === undefined || freshness.state === 'unknown') return freshness;
  const others = refused.length - 1;
  const what = `${first.key}${others === 0 ? '' : ` and ${others} more`}`;
  const how = `refused by storage, so missing here or shown in an older state (${others === 0 ? '' : 'the first: '}${first.error})`;
  return { state: 'partial', text: `${freshness.text}, but ${what} ${others === 0 ? 'was' : 'were'} ${how}` };
}

function freshnessOfRecords(records: readonly ScopeRecord[], namespace: Scope | null, nowMs: number): Freshness {
  const everywhere = records.find((record) => record.scope === '');
  const asked = everywhere === undefined ? records.filter((record) => namespace === null || record.scope === namespace) : [everywhere];
  if (records.length === 0) return { state: 'unknown', text: 'nobody mirrors this kind' };
  if (asked.length === 0) return { state: 'unknown', text: `the namespace is not mirrored, only ${names(records)}` };
  const open = asked.filter((record) => !record.complete);
  const heard = asked.map((record) => record.heardAt).filter((at) => at !== null);
  const oldest = heard.length < asked.length ? null : Math.min(...heard);
  const age = oldest === null ? 'the API server was not heard yet' : `as of ${humanDuration(Math.max(0, nowMs - oldest))} ago`;
  if (open.length > 0) {
    return {
      state: 'partial',
      text: `${age}, not complete yet${open.length === 1 && open[0]?.scope === '' ? '' : ` in ${names(open)}`}: objects may be missing`,
    };
  }
  const [first] = asked;
  const upTo = asked.length === 1 && first !== undefined && first.watermark !== null ? `complete to ${first.watermark}` : 'complete';
  if (everywhere === undefined && namespace === null)
    return { state: 'partial', text: `${age}, ${upTo}, but only ${names(asked)} ${asked.length === 1 ? 'is' : 'are'} mirrored` };
  if (oldest !== null && nowMs - oldest > LONGEST_SILENCE_MS)
    return { state: 'partial', text: `${age}, ${upTo}: the mirror does not run, or does not hear the API server` };
  return { state: 'complete', text: `${age}, ${upTo}` };
}

const SHOWN = 5;

function names(records: readonly ScopeRecord[]): string {
  const shown = records.slice(0, SHOWN).map((record) => record.scope);
  return `${records.length === 1 ? 'namespace' : 'namespaces'} ${shown.join(', ')}${records.length > SHOWN ? ` and ${records.length - SHOWN} more` : ''}`;
}
