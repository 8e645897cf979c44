import type { Scope } from '../model/kind.ts';
import type { ReflectorStatus } from '../reflector/reflector.ts';

/**
 * What the reflectors of one kind are doing, for people. A refusal stays visible while it is tried again, until the server accepts: whoever looks between two
 * tries must see why.
 */
export class ScopeStatuses {
  readonly #shown = new Map<Scope, ReflectorStatus>();
  /** What a scope that waits is trying just now. */
  readonly #trials = new Map<Scope, ReflectorStatus>();

  get shown(): ReadonlyMap<Scope, ReflectorStatus> {
    return this.#shown;
  }

  /** Returns whether a watch was accepted that was open before. */
  note(scope: Scope, status: ReflectorStatus): 'reconnected' | null {
    const before = this.#shown.get(scope);
    const isTrial = before?.at === 'waiting' && (status.at === 'listing' || (status.at === 'watching' && !status.connected));
    if (isTrial) {
      this.#trials.set(scope, status);
      return null;
    }
    this.#trials.delete(scope);
    this.#shown.set(scope, status);
    return status.at === 'watching' && status.connected && before?.at !== 'listing' ? 'reconnected' : null;
  }

  /** The server has begun to answer a list. Returns whether the scope had waited for that. */
  accepted(scope: Scope): 'reconnected' | null {
    const trial = this.#trials.get(scope);
    if (trial === undefined) return null;
    this.#shown.set(scope, trial);
    return 'reconnected';
  }
}
