import { EpochError } from '../../model/errors.ts';
import type { Outcome } from '../../model/outcome.ts';
import { STALE, UNCHANGED, WRITTEN } from '../../model/outcome.ts';
import type { ScopeRecord, Write } from '../storage.ts';
import { CODE, resultAt } from './batch.ts';
import type { Unpark } from './batch.ts';
import type { DoneMessage } from './writer-link.ts';

/** One write() whose promise is not settled yet. */
export interface WriteCall {
  readonly writes: readonly (Write | Unpark)[];
  readonly scopes: readonly ScopeRecord[];
  readonly rows: number;
  readonly bytes: number;
  readonly settle: (outcomes: readonly Outcome[]) => void;
  /** Another writer has taken the place. */
  readonly refuse: (error: EpochError) => void;
}

/** Settles the calls of one transaction, each row by its own outcome; `calls` must be those that were packed, in their order. */
export function settleCalls(calls: readonly WriteCall[], { ints, errors, failure, fencedBy }: DoneMessage): void {
  const texts = new Map(errors);
  let at = 0;
  for (const call of calls) {
    if (failure !== null && fencedBy !== null) {
      call.refuse(new EpochError(failure, fencedBy));
      continue;
    }
    if (failure !== null) {
      call.settle(allRetry(call.writes, failure));
      continue;
    }
    const outcomes: Outcome[] = [];
    for (let index = 0; index < call.rows; index++, at++) outcomes.push(outcomeOf(resultAt(ints, at), texts.get(at)));
    call.settle(outcomes);
  }
}

export function allRetry(writes: readonly unknown[], error: string): readonly Outcome[] {
  const outcome: Outcome = { kind: 'retry', error };
  return writes.map(() => outcome);
}

function outcomeOf(code: number, text: string | undefined): Outcome {
  switch (code) {
    case CODE.written:
      return WRITTEN;
    case CODE.unchanged:
      return UNCHANGED;
    case CODE.stale:
      return STALE;
    case CODE.rejected:
      return { kind: 'rejected', error: text ?? 'SQLite refuses the row' };
    default:
      return { kind: 'retry', error: text ?? 'the row was not settled' };
  }
}
