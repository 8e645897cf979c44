import type { ObjectKey } from '../model/key.ts';
import type { Link } from './chain.ts';
import type { Priority } from './queue.ts';

/** `ticket.slot` of a key that waits for no deadline. */
export const NO_SLOT = -1;

/**
 * All that the queue knows of one key, for as long as the key is dirty, busy or waiting, and not longer. One object
 * instead of one place in each of five tables: a key then costs one hash look-up a call, and about 140 bytes.
 * Every field has one owner, the only file that writes it; `dedup.ts` holds the table.
 *
 *   idle (no ticket) ──add──► queued ──take──► held ──add──► held + dirty
 *          ▲                     ▲               │done             │done
 *          └─────────────────────┼───────────────┘                 │
 *                                └─────────────────────────────────┘ (tail)
 *   Waiting for a deadline is a third, independent mark: it goes when the key becomes dirty.
 */
export class Ticket implements Link<Ticket> {
  readonly key: ObjectKey;
  /** Links of the one chain the ticket is in: a ready line (priority.ts) while queued, the hands (dedup.ts) while held. */
  next: Ticket | null = null;
  prev: Ticket | null = null;
  /** dedup.ts: there is work to do that no holder has begun. */
  dirty = false;
  /** dedup.ts: in a holder's hands. */
  busy = false;
  /** The shell: priority of the pending processing; meaningful while dirty or waiting. */
  priority: Priority = 0;
  /** The shell: priority the key was handed out with; meaningful while busy (PQ-S10). */
  takenPriority: Priority = 0;
  /** delays.ts: place in the heap, or NO_SLOT. Never set while dirty: a dirty key has nothing to wait for (DQ-S4). */
  slot = NO_SLOT;
  /** queue-metrics.ts: when it became dirty, when it was taken; both stay 0 when nothing is measured. */
  dirtyAt = 0;
  takenAt = 0;

  constructor(key: ObjectKey) {
    this.key = key;
  }
}
