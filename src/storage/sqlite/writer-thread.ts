import { parentPort, workerData } from 'node:worker_threads';
import { EpochError, StorageError } from '../../model/errors.ts';
import type { BatchMessage } from './batch.ts';
import { storageErrorOf } from './conditions.ts';
import { openWritable } from './database-file.ts';
import { RowWriter } from './row-writer.ts';
import type { BatchResult, RowWriterOptions } from './row-writer.ts';

/** What the thread is started with. */
export interface WriterThreadData extends RowWriterOptions {
  /** The longest value SQLite may take, in bytes; its own default (1,000,000,000) when absent. For tests. */
  readonly lengthLimit?: number | undefined;
}

export type ToWriter = BatchMessage | { readonly type: 'close' };

export type FromWriter =
  | { readonly type: 'ready' }
  | { readonly type: 'refused'; readonly message: string; readonly retryable: boolean; readonly fencedBy: number | null }
  | ({ readonly type: 'done'; readonly id: number; readonly slab: SharedArrayBuffer; readonly ints: Int32Array<SharedArrayBuffer> } & BatchResult)
  | { readonly type: 'closed' };

const port = parentPort;
if (port === null) throw new Error('Cannot run the SQLite writer: it must be started as a worker thread');

const answer = (message: FromWriter): void => port.postMessage(message);

try {
  const data = workerData as WriterThreadData;
  const db = openWritable(data.path, { walBytes: data.walBytes, length: data.lengthLimit });
  const writer = new RowWriter(db, data);
  port.on('message', (message: ToWriter) => {
    if (message.type === 'batch') {
      const result = writer.apply(message);
      answer({ type: 'done', id: message.id, slab: message.slab, ints: message.ints, ...result });
      return;
    }
    try {
      // Readers elsewhere, or a full disk, may keep the log from being emptied; the next open goes on from it.
      db.exec('PRAGMA busy_timeout = 200; PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {}
    db.close();
    answer({ type: 'closed' });
    port.close();
  });
  answer({ type: 'ready' });
} catch (cause) {
  const error = cause instanceof StorageError ? cause : storageErrorOf('open', (workerData as WriterThreadData).path, cause);
  answer({ type: 'refused', message: error.message, retryable: error.retryable, fencedBy: error instanceof EpochError ? error.newest : null });
  port.close();
}
