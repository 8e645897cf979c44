import type { HeldPass } from '../model/control.ts';
import type { ObjectKey } from '../model/key.ts';
import type { KindId } from '../model/kind.ts';
import type { Process } from './process.ts';

export interface OperatorParts {
  readonly process: () => Process | null;
  /** Whether a row should not be there: what a person looks up in the cluster before letting it go. */
  readonly isGone: (kind: KindId, key: ObjectKey) => boolean;
  readonly fail: (message: string) => void;
}

/** The person who is asked about held deletions: looks, thinks, and confirms what was shown when all of it is really gone. */
export class Operator {
  readonly #parts: OperatorParts;

  constructor(parts: OperatorParts) {
    this.#parts = parts;
  }

  look(): readonly HeldPass[] {
    return this.#held();
  }

  /** Invariant 14. The process may be another one than that which showed it. */
  confirm(shown: readonly HeldPass[]): void {
    const { process, isGone, fail } = this.#parts;
    const running = process();
    if (running === null) return;
    for (const { kind, token, count, keys } of shown) {
      // A kind that is just coming back still counts what it held, and shows nothing of it.
      if (keys.length === 0) continue;
      if (keys.length !== count) fail(`14: ${count} deletions of ${kind} are said to be held, and ${keys.length} are shown`);
      if (!keys.every((key) => isGone(kind, key))) continue;
      const held = this.#held().find((pass) => pass.kind === kind);
      if (held?.keys.length === 0) continue;
      const isTheSame = held !== undefined && held.token === token && String([...held.keys].sort()) === String([...keys].sort());
      const answer = running.mirror.control.confirm({ kind, token, count });
      const isDone = 'released' in answer;
      if (isDone !== isTheSame)
        fail(`14: ${kind}: ${keys.join(', ')} were shown as ${token}, ${held?.keys.join(', ')} are held, and confirming was ${isDone ? 'taken' : 'refused'}`);
      if (isDone) running.told.of(kind).confirmed(keys);
    }
  }

  #held(): readonly HeldPass[] {
    return this.#parts.process()?.mirror.control.held(Number.POSITIVE_INFINITY) ?? [];
  }
}
