import { Worker } from 'node:worker_threads';
import type { WorkerOptions } from 'node:worker_threads';
import { lastWords } from '../../kit/last-words.ts';
import { EpochError, StorageError } from '../../model/errors.ts';
import type { BatchMessage } from './batch.ts';
import type { FromWriter, ToWriter, WriterThreadData } from './writer-thread.ts';

/** Starts a worker thread; tests hand in their own to get hold of it. */
export type StartWorker = (file: URL, options: WorkerOptions) => Worker;

export const startWorker: StartWorker = (file, options) => new Worker(file, options);

export type DoneMessage = Extract<FromWriter, { readonly type: 'done' }>;

/** The sources run as they are, and as compiled JavaScript: the thread's file has the same suffix as this one. */
const THREAD = new URL(`./writer-thread${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** One life of the writer's thread, from start to close or to its unexpected end. */
export class WriterLink {
  readonly #start: StartWorker;
  readonly #onDone: (message: DoneMessage) => void;
  /** Called once, and only when the thread ends after it was ready and before close(). */
  readonly #onLost: (error: string) => void;
  #worker: Worker | undefined;
  #onClosed: (() => void) | undefined;

  constructor(options: { readonly start: StartWorker; readonly onDone: (message: DoneMessage) => void; readonly onLost: (error: string) => void }) {
    this.#start = options.start;
    this.#onDone = options.onDone;
    this.#onLost = options.onLost;
  }

  /** Resolves when the database is open in the thread; throws StorageError when it cannot be. */
  open(data: WriterThreadData): Promise<void> {
    return new Promise((resolve, reject) => {
      // Flags of the main thread (inspector, test runner) are not for this one.
      const worker = this.#start(THREAD, { workerData: data, execArgv: [], name: 'sqlite' });
      this.#worker = worker;
      let isReady = false;
      let lastError = 'it ended by itself';
      worker.on('message', (message: FromWriter) => {
        switch (message.type) {
          case 'ready':
            isReady = true;
            return resolve();
          case 'refused':
            return reject(
              message.fencedBy === null
                ? new StorageError(message.message, { retryable: message.retryable })
                : new EpochError(message.message, message.fencedBy),
            );
          case 'done':
            return this.#onDone(message);
          case 'closed':
            return;
          default:
            message satisfies never;
        }
      });
      worker.on('error', (cause) => {
        // Of a thread nothing is expected: what it throws may quote a row.
        lastError = lastWords(cause).split('\n', 1)[0] ?? lastError;
      });
      worker.on('exit', () => {
        this.#worker = undefined;
        if (this.#onClosed !== undefined) return this.#onClosed();
        const error = `Cannot go on writing to the database "${data.path}": the thread that writes it ended (${lastError})`;
        if (isReady) return this.#onLost(error);
        // Does nothing when the thread said why before it ended.
        reject(new StorageError(error, { retryable: true }));
      });
    });
  }

  post(batch: BatchMessage): void {
    this.#worker?.postMessage(batch satisfies ToWriter);
  }

  /** Resolves when the thread has folded the log into the file and ended. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      const worker = this.#worker;
      if (worker === undefined) return resolve();
      this.#onClosed = resolve;
      worker.postMessage({ type: 'close' } satisfies ToWriter);
    });
  }
}
