import type { KindId } from '../model/kind.ts';
import type { Draw } from './draw.ts';

/** What goes wrong with a request to the API server, all by itself. */
export const API_FAULTS = [
  /** 429, without and with Retry-After. */
  'busy',
  'throttled',
  /** 403, 500, 503. */
  'forbidden',
  'broken',
  'unavailable',
  /** No connection; a connection that never answers; one that breaks in the middle of the answer; one that stalls there. */
  'away',
  'hang',
  'cut',
  'stall',
  /** Seconds on the way. */
  'slow',
  /** A list of some changes ago; one at a time, and never of namespaces, for what is older everywhere is older. */
  'stale',
  /** A list without any items, of a kind of which the asking process knows objects: a broken aggregated API. */
  'empty',
  /** Continue tokens are refused with 410. */
  'tokens',
  /** A watch is refused with 410, by status or by event; it ends at once; it is accepted and stays silent. */
  'gone',
  'goneEvent',
  'ends',
  'hole',
] as const;
export type ApiFault = (typeof API_FAULTS)[number];

export const STORAGE_FAULTS = [
  /** Every row is to be tried again, and nothing was written; reads fail. */
  'down',
  /** Seconds on the way, and up to minutes. */
  'slow',
  'stuck',
  /** Times out, and was written: before the answer, or afterwards. */
  'unknown',
  'late',
  /** Some rows are to be tried again, the others are written. */
  'partial',
  /** A bug of the engine: the call rejects. */
  'throws',
] as const;
export type StorageFault = (typeof STORAGE_FAULTS)[number];

/** A time in which something goes wrong with a share of all requests, or of those about one kind. */
export interface Spell<Fault> {
  readonly fault: Fault;
  readonly kind: KindId | null;
  readonly share: number;
  readonly untilMs: number;
  /** It is over when it has struck once. */
  readonly isOnce?: boolean;
}

/** The faults of now. */
export class Weather<Fault> {
  readonly #draw: Draw;
  #spells: Spell<Fault>[] = [];

  constructor(draw: Draw) {
    this.#draw = draw;
  }

  begin(spell: Spell<Fault>): void {
    this.#spells.push(spell);
  }

  clear(): void {
    this.#spells = [];
  }

  /** A fault of a kind has come to effect. */
  struck(fault: Fault, kind: KindId): void {
    this.#spells = this.#spells.filter((spell) => !(spell.isOnce === true && spell.fault === fault && (spell.kind === null || spell.kind === kind)));
  }

  /** What happens to one request; null when it is spared. */
  strike(kind: KindId | null, nowMs: number): Fault | null {
    if (this.#spells.length === 0) return null;
    this.#spells = this.#spells.filter(({ untilMs }) => untilMs > nowMs);
    for (const spell of this.#spells) if ((spell.kind === null || spell.kind === kind) && this.#draw.chance(spell.share)) return spell.fault;
    return null;
  }
}
