/**
 * Whether a simulated process still lives. It touches the world through three handles only (clock, cluster, storage), and each of them asks here
 * before every step, in and out. So a death between any two steps is a countdown: what the process does afterwards reaches nobody.
 */
export class Life {
  #isDead = false;
  #stepsLeft = Number.POSITIVE_INFINITY;
  readonly #onDeath: () => void;

  constructor(onDeath: () => void) {
    this.#onDeath = onDeath;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** Dies before the step after `steps` more of them. */
  dieAfter(steps: number): void {
    this.#stepsLeft = Math.min(this.#stepsLeft, steps);
  }

  /** Takes back a death that was announced. */
  spare(): void {
    this.#stepsLeft = Number.POSITIVE_INFINITY;
  }

  /** One step of the process is about to happen. False when it does not any more. */
  step(): boolean {
    if (this.#isDead) return false;
    if (this.#stepsLeft-- > 0) return true;
    this.die();
    return false;
  }

  die(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#onDeath();
  }
}

/** What a dead process waits for. */
export function never<T>(): Promise<T> {
  return new Promise(() => {});
}
