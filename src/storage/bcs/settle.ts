import type { Revision } from '../../model/revision.ts';

/** What is known of a stored document. */
export interface Known {
  readonly uid: string;
  readonly revision: Revision;
}

/** What a write is to leave behind; `stored` is null for a delete. */
export interface Intent {
  readonly stored: Known | null;
  /** Of the body; `''` for a delete. */
  readonly hash: string;
}

/** What a request left behind whose effect is not known. */
export interface Doubt extends Intent {
  /** `pending`: it was not answered in time, and may still be. `open`: it was cut or not answered, so it may still arrive. `answered`: the service said that it failed; it may have been done, but not later any more. */
  readonly how: 'pending' | 'open' | 'answered';
  /** Cuts a pending one. */
  readonly cut?: (() => void) | undefined;
  /** When it was given up, by the monotonic clock. */
  readonly since: number;
  /** Whether finding its work stored says that it was this request: not when the same was stored before, or sent once more. */
  readonly tells: boolean;
}

/**
 * - `settled`: the request was carried out, or cannot be any more. What was found is what is stored.
 * - `resend`: it may still arrive, which does no harm if the very same is sent once more.
 * - `wait`: it may still arrive, and would overwrite what is to be sent now.
 */
export type Settlement = { readonly is: 'settled' } | { readonly is: 'resend' } | { readonly is: 'wait' };

/**
 * How long a request that was given up is taken to be able to arrive: its connection is destroyed, so what can still come is what the service, or a proxy, had
 * read before: an overloaded service works it off seconds later (seen: 3 s, on a machine without a core to spare). Longer is safer and lets a key wait longer
 * after a request that was lost; nobody can know.
 */
export const ARRIVES_WITHIN_MS = 5_000;

/** Decides by a look at what is stored (`found`; null: nothing), taken after the request was given up. */
export function settle(doubt: Doubt, found: Known | null, next: Intent, now: number): Settlement {
  if (doubt.how === 'answered' || (doubt.tells && isSame(found, doubt.stored))) return { is: 'settled' };
  if (doubt.how === 'pending') return { is: 'wait' };
  if (now >= doubt.since + ARRIVES_WITHIN_MS) return { is: 'settled' };
  return isSame(next.stored, doubt.stored) && next.hash === doubt.hash ? { is: 'resend' } : { is: 'wait' };
}

export function isSame(a: Known | null, b: Known | null): boolean {
  if (a === null || b === null) return a === b;
  return a.uid === b.uid && a.revision === b.revision;
}
