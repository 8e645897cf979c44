import type { KindId } from '../model/kind.ts';

/** Where a kind is going: to be followed by other rules, or out of the copy. */
type Goal = 'follow' | 'leave';

interface MovesOptions {
  readonly onFailure: (cause: unknown) => void;
  /** Rules that have changed meanwhile can be followed now. */
  readonly onChance: () => void;
}

/** Kinds that are being stopped, each by itself: one that has much to write or to remove holds up no other. */
export class Moves {
  readonly #underWay = new Map<KindId, { readonly goal: Goal; readonly cut: AbortController; readonly ended: Promise<void> }>();
  readonly #options: MovesOptions;

  constructor(options: MovesOptions) {
    this.#options = options;
  }

  has(id: KindId): boolean {
    return this.#underWay.has(id);
  }

  /** Whether a kind that rules ask for is under way. */
  get isFollowing(): boolean {
    return [...this.#underWay.values()].some(({ goal }) => goal === 'follow');
  }

  /** Begins `move`, for a kind that is not under way; its signal aborts when the kind need not leave any more. */
  begin(id: KindId, goal: Goal, move: (cut: AbortSignal) => Promise<void>): void {
    const cut = new AbortController();
    const ended = move(cut.signal)
      .catch(this.#options.onFailure)
      .finally(() => {
        this.#underWay.delete(id);
        if (goal === 'follow' || cut.signal.aborted) this.#options.onChance();
      });
    this.#underWay.set(id, { goal, cut, ended });
  }

  /** Rules ask for the kind: if it is about to leave, it need not finish. */
  isWanted(id: KindId): void {
    const move = this.#underWay.get(id);
    if (move?.goal === 'leave') move.cut.abort();
  }

  async ended(): Promise<void> {
    await Promise.all([...this.#underWay.values()].map(({ ended }) => ended));
  }
}
