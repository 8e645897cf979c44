import type { Fence } from '../cache/entry-table.ts';
import type { ObjectCache } from '../cache/object-cache.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import type { HeldPass, HeldToken, Refused } from '../model/control.ts';
import type { ObjectKey } from '../model/key.ts';
import type { KindId } from '../model/kind.ts';
import { BACKGROUND, type WorkQueue } from '../queue/queue.ts';
import { type FenceRule, holdReason, type JudgedPass, judge, releaseReason } from './fence.ts';

export interface HeldParts {
  readonly kind: KindId;
  readonly cache: ObjectCache;
  readonly queue: WorkQueue;
  /** As it is configured just now. */
  readonly rule: () => FenceRule;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Pass extends JudgedPass {
  readonly token: string;
  /** Unix ms. */
  readonly since: number;
  readonly why: string;
}

/** The deletions of one kind that are held: which pass they are of, and how they are let go. Which keys they are, the cache knows. */
export class HeldDeletions {
  readonly #parts: HeldParts;
  /** The last pass that added keys. It may be over without anybody having said so: when all of its objects have been seen again. */
  #pass: Pass | null = null;
  #passes = 0;
  /** One held key, as of `count` held ones: looking for one costs a walk through the cache. */
  #first: { readonly count: number; readonly token: string; readonly key: ObjectKey | null } | null = null;

  constructor(parts: HeldParts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#parts.cache.held;
  }

  /** Unix ms; null when nothing is held. */
  get since(): number | null {
    return this.#current()?.since ?? null;
  }

  get first(): ObjectKey | null {
    const pass = this.#current();
    if (pass === null) return null;
    const { count } = this;
    if (this.#first === null || this.#first.count !== count || this.#first.token !== pass.token) {
      this.#first = { count, token: pass.token, key: this.#parts.cache.heldKeys()[0] ?? null };
    }
    return this.#first.key;
  }

  /** Runs one pass of deletions by absence under the fence, and returns what it may delete. `why` says how they were found to be gone. */
  guard(why: string, run: (fence: Fence) => readonly ObjectKey[]): readonly ObjectKey[] {
    const { cache, rule, clock, log } = this.#parts;
    const before = cache.held;
    let known = 0;
    const deleted = run((absent, of) => {
      known = of;
      return judge(rule(), absent, of);
    });
    const absent = cache.held;
    if (absent <= before) return deleted;
    const since = clock.wall();
    this.#pass = { token: `${since}.${++this.#passes}`, since, at: clock.now(), absent, known, why: `${why}; ${holdReason(rule(), absent, known)}` };
    log.warn('deletions are held until somebody confirms them', {
      held: absent,
      of: known,
      reason: this.#pass.why,
      wayOut: `kubefold confirm ${this.#parts.kind} shows them and asks`,
    });
    return deleted;
  }

  /** Null when nothing is held. */
  show(keys: number): HeldPass | null {
    const pass = this.#current();
    if (pass === null) return null;
    const { token, since, why, known } = pass;
    return { kind: this.#parts.kind, token, count: this.count, of: known, since, why, keys: this.#parts.cache.heldKeys().slice(0, keys) };
  }

  /** Lets go exactly what was shown. */
  confirm({ token, count }: HeldToken): { readonly released: number } | Refused {
    const { kind } = this.#parts;
    const pass = this.#current();
    if (pass === null) return { refused: `Nothing of ${kind} is held any more: every object has been seen again, or was confirmed already.` };
    if (pass.token !== token || this.count !== count) {
      const change = pass.token !== token ? 'other deletions are held now' : `${this.count} are held now instead of ${count}, since objects came back`;
      return { refused: `What is held of ${kind} is not what was shown: ${change}. Look at it again with kubefold confirm ${kind}.` };
    }
    return { released: this.#release('somebody confirmed them') };
  }

  /** To be asked now and then: lets go what need not be held any longer. */
  tick(): void {
    const pass = this.#current();
    if (pass === null) return;
    const reason = releaseReason(pass, this.#parts.rule(), this.#parts.clock.now());
    if (reason !== null) this.#release(reason);
  }

  #current(): Pass | null {
    if (this.#pass !== null && this.count === 0) {
      this.#pass = null;
      this.#parts.log.info('no deletion is held any more: every object has been seen again');
    }
    return this.#pass;
  }

  #release(reason: string): number {
    const { cache, queue, log } = this.#parts;
    const keys = cache.heldKeys();
    this.#pass = null;
    log.warn('held deletions go on', { deletions: keys.length, reason });
    for (const key of keys) if (cache.release(key)) queue.add(key, BACKGROUND);
    return keys.length;
  }
}
