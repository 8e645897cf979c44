/** Old lines are looked for after so many rows or so much time, whichever is first. */
const LOOK_AFTER_ROWS = 500;
const LOOK_AFTER_MS = 10_000;

/** When something that grows with the rows that are written is cut back, and by how much at once, so that no transaction grows by more. */
export class PrunePace {
  readonly #leastStep: number;
  #rows = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(leastStep: number) {
    this.#leastStep = leastStep;
  }

  /** To be called with every transaction. Null: not yet. Else how many lines may go now: twice what came in, so that it shrinks to its bound however it grew past it. */
  step(rows: number, wallMs: number): number | null {
    this.#rows += rows;
    if (this.#rows < LOOK_AFTER_ROWS && Math.abs(wallMs - this.#lookedAt) < LOOK_AFTER_MS) return null;
    const step = Math.max(this.#leastStep, 2 * this.#rows);
    this.#rows = 0;
    this.#lookedAt = wallMs;
    return step;
  }
}
