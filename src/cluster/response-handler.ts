import type { IncomingHttpHeaders } from 'node:http';
import { createGunzip, type Gunzip } from 'node:zlib';
import type { Dispatcher } from 'undici';
import type { Clock } from '../kit/clock.ts';
import { type Refusal, readRefusal } from './api-error.ts';
import type { ChunkSink } from './cluster.ts';

/** Carries a Refusal through a rejection inside this room; outside of it callers see the ApiError. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.error.message);
    this.refusal = refusal;
  }
}

/** What is read of a refusal: enough for any Status, and no more of a proxy's page. */
const MAX_REFUSAL_BYTES = 64 * 1024;

export interface ResponseHandlerOptions {
  readonly sink: ChunkSink;
  readonly signal: AbortSignal;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
  readonly onOpen: (() => void) | undefined;
  /** For messages: method and path. */
  readonly request: string;
  readonly clock: Clock;
}

interface PartialRefusal {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly chunks: Buffer[];
  size: number;
}

/**
 * One response, as undici's dispatcher tells it. A 2xx body goes to the sink during the parser's own call: no stream, no
 * iterator, no copy. After the promise is settled the sink is never called again.
 */
export class ResponseHandler implements Dispatcher.DispatchHandler {
  readonly #options: ResponseHandlerOptions;
  #controller: Dispatcher.DispatchController | null = null;
  #isSettled = false;
  #gunzip: Gunzip | null = null;
  /** Set while a refusal is read. */
  #refusal: PartialRefusal | null = null;
  readonly #onAbort = (): void => this.#fail(this.#options.signal.reason);

  constructor(options: ResponseHandlerOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Aborted while it waited for a connection.
    if (this.#isSettled) controller.abort(new Error('aborted'));
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.#controller = controller;
    if (this.#isSettled || status < 200) return;
    if (status >= 300) {
      this.#refusal = { status, retryAfter: headers['retry-after'], chunks: [], size: 0 };
      return;
    }
    try {
      this.#options.onOpen?.();
    } catch (cause) {
      this.#fail(cause);
      return;
    }
    if (headers['content-encoding'] === 'gzip') this.#gunzip = this.#newGunzip();
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isSettled) return;
    if (this.#refusal !== null) this.#collect(this.#refusal, chunk);
    // zlib reads later, when the chunk is no longer ours.
    else if (this.#gunzip !== null) this.#gunzip.write(Buffer.from(chunk));
    else this.#deliver(chunk);
  }

  onResponseEnd(): void {
    if (this.#refusal !== null) this.#refuse(this.#refusal);
    else if (this.#gunzip !== null) this.#gunzip.end();
    // undici frees the connection in an immediate that it sets after this call. Ours comes behind it, so that a caller who asks
    // for the next page at once gets the same connection and not a new one.
    else queueMicrotask(() => setImmediate(() => this.#finish()));
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#fail(error);
  }

  #deliver(chunk: Buffer): void {
    if (this.#isSettled) return;
    try {
      this.#options.sink(chunk);
    } catch (cause) {
      this.#fail(cause);
    }
  }

  #newGunzip(): Gunzip {
    const gunzip = createGunzip({ chunkSize: 64 * 1024 });
    gunzip.on('data', (chunk: Buffer) => this.#deliver(chunk));
    gunzip.on('end', () => this.#finish());
    gunzip.on('error', (error) => this.#fail(error));
    return gunzip;
  }

  #collect(refusal: PartialRefusal, chunk: Buffer): void {
    const rest = MAX_REFUSAL_BYTES - refusal.size;
    refusal.chunks.push(Buffer.from(chunk.subarray(0, rest)));
    refusal.size += Math.min(chunk.length, rest);
    if (refusal.size >= MAX_REFUSAL_BYTES) this.#refuse(refusal);
  }

  #refuse({ status, retryAfter, chunks, size }: PartialRefusal): void {
    const { request, clock } = this.#options;
    const refusal = readRefusal({ status, retryAfter, body: Buffer.concat(chunks).toString('utf8'), request, nowWallMs: clock.wall() });
    // Cut off only when there is more than we want to read; a complete answer leaves the connection usable.
    if (size >= MAX_REFUSAL_BYTES) this.#fail(new RefusedError(refusal));
    else if (this.#settle()) this.#options.reject(new RefusedError(refusal));
  }

  #finish(): void {
    if (this.#settle()) this.#options.resolve();
  }

  #fail(cause: unknown): void {
    if (!this.#settle()) return;
    this.#options.reject(cause);
    this.#gunzip?.destroy();
    const reason = cause instanceof Error ? cause : new Error(String(cause));
    if (this.#controller !== null && !this.#controller.aborted) this.#controller.abort(reason);
  }

  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    return true;
  }
}
