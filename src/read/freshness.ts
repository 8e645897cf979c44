import type { Scope } from '../model/kind.ts';
import type { ScopeRecord } from '../storage/storage.ts';
import { humanDuration } from './age.ts';

/** How far an answer can be trusted. */
export type Freshness =
  /** The mirror knows all of what was asked for. */
  | { readonly state: 'complete'; readonly text: string }
  /** Objects may be missing or old. */
  | { readonly state: 'partial'; readonly text: string }
  /** Nobody mirrors what was asked for. */
  | { readonly state: 'unknown'; readonly text: string };

/**
 * How old an answer about one kind is, from its scope records. `namespace` is null for all namespaces and for cluster-scoped kinds. Read the
 * records before the rows: the rows are then at least as new as this says. Pure.
 */
export function freshnessOf(records: readonly ScopeRecord[], namespace: Scope | null, nowMs: number): Freshness {
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
  return { state: 'complete', text: `${age}, ${upTo}` };
}

const SHOWN = 5;

function names(records: readonly ScopeRecord[]): string {
  const shown = records.slice(0, SHOWN).map((record) => record.scope);
  return `${records.length === 1 ? 'namespace' : 'namespaces'} ${shown.join(', ')}${records.length > SHOWN ? ` and ${records.length - SHOWN} more` : ''}`;
}
