import { statSync } from 'node:fs';
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { bodyBytesOf } from './batch.ts';
import type { BatchMessage } from './batch.ts';
import { BUSY_MS } from './database-file.ts';
import { holdersOf } from './file-holders.ts';
import { PAGE_SIZE } from './schema.ts';

/** The most that the write-ahead log may take unless configured otherwise. */
export const DEFAULT_WAL_BYTES = 128 * 2 ** 20;

/** https://www.sqlite.org/fileformat.html section 4.1: each page in the log has a header of its own. */
const FRAME_BYTES = PAGE_SIZE + 24;
/**
 * Readers in the middle of a short transaction are waited for in so many short attempts before the log counts as held; in few once it does. Measured
 * beside three processes that page through the copy without a gap, on two busy cores: at most five attempts; one attempt that
 * may wait 5 s failed in 2 of 15 cases, because it waits for one reader's mark while others come and go.
 */
const WAIT_MS = 20;
const ATTEMPTS = 25;
const ATTEMPTS_WHILE_HELD = 3;
/** /proc is looked through so often at the most: the text names processes, it is not a measurement. */
const NAME_AFTER_MS = 10_000;

/**
 * Pages of a row besides its body: leaves of the table, of its key, of tombstones and change log, and what splits and merges touch. Measured over 50,000
 * rows in random order and batches of 100, whole transactions at the most: 1.6 pages an insert, 1.1 an update, 2.9 a delete.
 */
const ROW_PAGES = 4;
/** Pages of a transaction besides its rows: pruned lines and tombstones, scope records, the file's header. Measured with pruning: 210 with 100 deletes. */
const BASE_PAGES = 384;

/** The most bytes that a transaction adds to the log: an estimate, on the generous side. */
function walBytesOf(batch: BatchMessage): number {
  // The last page of a body is seldom full.
  return (BASE_PAGES + batch.rows * (ROW_PAGES + 1) + Math.ceil(bodyBytesOf(batch) / PAGE_SIZE)) * FRAME_BYTES;
}

/**
 * Keeps the write-ahead log below its cap. SQLite begins the log anew when all of it is in the file and nobody reads from it; a reader that
 * never ends its transaction prevents that, and then every page that is written stays in the log. So a transaction that might take it past
 * the cap is made only once the log could be emptied, and refused as long as it cannot be.
 *
 * Readers of ours that overlap without a gap do not count: their transactions are short, and those that begin while everything is
 * in the file do not read from the log. A transaction that is alone larger than the cap is made on the empty log.
 */
export class WalCap {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #capBytes: number;
  /** Whether the last batch was refused. */
  #isHeld = false;
  #holders: readonly number[] = [];
  #namedAt = Number.NEGATIVE_INFINITY;

  constructor(db: DatabaseSync, options: { readonly path: string; readonly capBytes: number }) {
    this.#db = db;
    this.#path = options.path;
    this.#capBytes = options.capBytes;
  }

  /** Why the batch may not be written now; null when it may. To be asked outside a transaction; throws what SQLite throws. Costs 2 µs below the cap. */
  refusalOf(batch: BatchMessage): string | null {
    const bytes = walBytesOf(batch);
    if (this.#fileBytes() + bytes <= this.#capBytes) return this.#pass();
    // The file keeps its length when the log begins anew in it, so what is in use may be less.
    const usedBytes = Number(this.#checkpoint('PASSIVE')?.['log']) * FRAME_BYTES;
    if (usedBytes + bytes <= this.#capBytes) return this.#pass();
    this.#isHeld = !this.#empty(this.#isHeld ? ATTEMPTS_WHILE_HELD : ATTEMPTS);
    return this.#isHeld ? this.#refusal(batch.wallMs) : null;
  }

  #pass(): null {
    this.#isHeld = false;
    return null;
  }

  #empty(attempts: number): boolean {
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (Number(this.#checkpoint('TRUNCATE')?.['busy']) === 0) return true;
    }
    return false;
  }

  #fileBytes(): number {
    return statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  #checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): Record<string, SQLOutputValue> | undefined {
    this.#db.exec(`PRAGMA busy_timeout = ${WAIT_MS}`);
    try {
      return this.#db.prepare(`PRAGMA wal_checkpoint(${mode})`).get();
    } finally {
      this.#db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    }
  }

  #refusal(wallMs: number): string {
    if (Math.abs(wallMs - this.#namedAt) >= NAME_AFTER_MS) {
      this.#holders = holdersOf(this.#path);
      this.#namedAt = wallMs;
    }
    const who = this.#holders.length === 0 ? '' : ` (open in process ${this.#holders.join(', ')})`;
    return `Cannot write to the database "${this.#path}": its log "${this.#path}-wal" has ${mebibytes(this.#fileBytes())}, storage.walBytes allows ${mebibytes(this.#capBytes)}, and it cannot be emptied because another process holds a read transaction open${who}. End that reader; writing goes on by itself`;
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
