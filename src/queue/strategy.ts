import type { Write } from '../storage/storage.ts';

/** One change, as a watch told it: the state that the row is to have. */
export interface Change {
  readonly write: Write;
  /** What the object weighs as JSON; 0 for a deletion. A simulation may carry smaller bodies than it counts. */
  readonly bytes: number;
  /** Found by a first list, not seen happening. */
  readonly isBackground?: boolean | undefined;
}

/** What is waiting or under way: everything that was offered and is not settled. */
export interface Backlog {
  /** Snapshots, or keys where only keys wait. */
  readonly items: number;
  /** Of the JSON that is kept for them. */
  readonly bytes: number;
}

/**
 * What a strategy promises, unless it says that it cannot.
 * - `order`: storage never sees an older state of an object after a newer one.
 * - `folding`: changes of an object that waits become one write.
 * - `bounded backlog`: no more waits than there are objects, however long storage is slow.
 * - `nothing lost`: whatever was offered is in storage when it had time enough.
 * - `independence`: a slow write of one object delays no other, as long as a consumer is free.
 */
export type StrategyPromise = 'order' | 'folding' | 'bounded backlog' | 'nothing lost' | 'independence';

/**
 * One way of bringing changes to storage: all that stands between a watch and N writers. One shared suite (test/queue/strategies/contract.ts) proves of
 * each what it promises, and that what it says it cannot it really cannot.
 */
export interface Strategy {
  readonly name: string;
  /** Each promise that is not kept, with the reason. */
  readonly cannot: Readonly<Partial<Record<StrategyPromise, string>>>;
  /** The most writes under way at once. */
  readonly consumers: number;
  /** Changes that were given up because there was no room. */
  readonly discarded: number;
  readonly backlog: Backlog;
  /** A change happened. Returns at once, whatever storage does: a watch cannot be made to wait. */
  offer(change: Change): void;
  /** Begins nothing more. Resolves when no write is under way; what still waits is forgotten. */
  stop(): Promise<void>;
}
