import { EpochError, messageOf } from '../model/errors.ts';
import type { Outcome } from '../model/outcome.ts';
import type { BatchResult } from './breaker.ts';

/**
 * How one write of a batch ended; `bug` when storage threw at it, which its contract allows only for a bug. The write may have happened. `withdrawn` when it
 * had not begun and was wanted back.
 */
export type Ending = Outcome | { readonly kind: 'bug'; readonly error: string } | { readonly kind: 'withdrawn' };

/** When storage throws at so many single writes and answers none, the bug is not in them, and the rest of the batch is spared. */
const HOPELESS = 8;

/**
 * Writes a batch; when storage throws, its halves, and so on until the write that storage throws at is alone. So the others are written,
 * and a bug met by one object holds up none of its neighbours. Never rejects.
 */
export async function writeApart<W>(
  writes: readonly W[],
  write: (part: readonly W[]) => Promise<readonly Outcome[]>,
  withdrawn?: AbortSignal,
): Promise<readonly Ending[]> {
  let answers = 0;
  let bugs = 0;
  const attempt = async (part: readonly W[]): Promise<readonly Ending[]> => {
    try {
      const outcomes = await write(part);
      answers++;
      return outcomes.length === part.length
        ? outcomes
        : part.map((_, index) => outcomes[index] ?? { kind: 'bug', error: 'storage settled fewer writes than it was given' });
    } catch (cause) {
      // No bug, and no write of this process will be taken any more; whoever stands at the door of storage ends it.
      if (cause instanceof EpochError) return part.map(() => ({ kind: 'retry', error: cause.message }));
      if (withdrawn?.aborted && cause === withdrawn.reason) return part.map(() => ({ kind: 'withdrawn' }));
      if (part.length === 1) bugs++;
      if (part.length === 1 || (answers === 0 && bugs >= HOPELESS)) return part.map(() => ({ kind: 'bug', error: messageOf(cause) }));
      const middle = part.length >> 1;
      return [...(await attempt(part.slice(0, middle))), ...(await attempt(part.slice(middle)))];
    }
  };
  return await attempt(writes);
}

/** What the endings of a batch say of storage, and its last error. `isNews(index)`: that write had not failed before. */
export function resultOf(endings: readonly Ending[], isNews: (index: number) => boolean): { readonly result: BatchResult; readonly error: string } {
  let error = '';
  let failures = 0;
  let bugs = 0;
  let withdrawn = 0;
  for (const ending of endings) {
    if (ending.kind === 'bug') bugs++;
    if (ending.kind === 'withdrawn') withdrawn++;
    if (ending.kind !== 'retry') continue;
    failures++;
    error = ending.error;
  }
  if (endings.length > failures + bugs + withdrawn) return { result: 'settled', error };
  if (failures === 0) return { result: bugs === 0 ? 'nothing' : 'bug', error };
  return { result: endings.some((ending, index) => ending.kind === 'retry' && isNews(index)) ? 'failed' : 'failed again', error };
}
