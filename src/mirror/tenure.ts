/**
 * Whether this process may write. Without an election it always may; with one it stands by until it leads, and then leads until it ends: there is no way
 * back (semantics CT-S15).
 */
export class Tenure {
  #state: 'undecided' | 'standby' | 'leading';
  readonly #waiting = new Set<() => void>();

  constructor(state: 'undecided' | 'leading') {
    this.#state = state;
  }

  get isLeading(): boolean {
    return this.#state === 'leading';
  }

  /** Somebody else leads, or it cannot be known who does. */
  standBy(): void {
    if (this.#state === 'undecided') this.#become('standby');
  }

  /** Storage is open for this process. */
  begin(): void {
    this.#become('leading');
  }

  /** Resolves when it is known whether this process leads from the start, or when `signal` aborts. */
  decided(signal: AbortSignal): Promise<void> {
    return this.#until(signal, () => this.#state !== 'undecided');
  }

  /** Resolves when this process leads, or when `signal` aborts. */
  begun(signal: AbortSignal): Promise<void> {
    return this.#until(signal, () => this.isLeading);
  }

  #become(state: 'standby' | 'leading'): void {
    this.#state = state;
    for (const look of [...this.#waiting]) look();
  }

  #until(signal: AbortSignal, isDone: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!signal.aborted && !isDone()) return;
        this.#waiting.delete(look);
        signal.removeEventListener('abort', look);
        resolve();
      };
      this.#waiting.add(look);
      signal.addEventListener('abort', look, { once: true });
      look();
    });
  }
}
