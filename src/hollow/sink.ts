import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, createGzip } from 'node:zlib';
import type { Gzip } from 'node:zlib';
import type { Effect } from './faults.ts';

/** Answers above this are compressed when the client asks for it (read-contract section 8). */
export const GZIP_BYTES = 128 * 1024;

export interface SinkOptions {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly effects: readonly Effect[];
}

/** The way out of one answer, with the faults that hit it built in. */
export class Sink {
  /** Aborts when the answer is over, whoever ended it. */
  readonly signal: AbortSignal;
  readonly #over = new AbortController();
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #splitBytes: number | null;
  readonly #cut: Extract<Effect, { type: 'truncate' }> | null;
  readonly #isStalled: boolean;
  #gzip: Gzip | null = null;
  #sentBytes = 0;
  /** Parts of a split answer not written yet: one leaves a turn, or they would travel together again. */
  readonly #parts: Buffer[] = [];
  #isEnding = false;
  readonly #onSplitDrain: (() => void)[] = [];

  constructor({ request, response, effects }: SinkOptions) {
    this.#request = request;
    this.#response = response;
    this.signal = this.#over.signal;
    this.#splitBytes = effects.find((effect) => effect.type === 'split')?.bytes ?? null;
    this.#cut = effects.find((effect) => effect.type === 'truncate') ?? null;
    this.#isStalled = effects.some((effect) => effect.type === 'stall');
    response.once('close', () => this.#over.abort());
    response.on('error', () => this.#over.abort());
  }

  get isOpen(): boolean {
    return !this.#over.signal.aborted;
  }

  /** Sends the headers now. Without `length` the body is chunked. */
  open(
    options: {
      readonly code?: number;
      readonly type?: string;
      readonly length?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly gzip?: boolean;
    } = {},
  ): void {
    const { code = 200, type = 'application/json', length, headers = {}, gzip = false } = options;
    const compress = gzip && /\bgzip\b/.test(this.#request.headers['accept-encoding'] ?? '');
    const isWhole = length !== undefined && !compress && this.#splitBytes === null && this.#cut === null;
    this.#response.writeHead(code, {
      'Cache-Control': 'no-cache, private',
      'Content-Type': type,
      ...(isWhole ? { 'Content-Length': String(length) } : {}),
      ...(compress ? { 'Content-Encoding': 'gzip', Vary: 'Accept-Encoding' } : {}),
      ...headers,
    });
    if (compress) {
      this.#gzip = createGzip({ level: constants.Z_BEST_SPEED });
      this.#gzip.pipe(this.#response);
    }
    if (length === undefined) this.#response.flushHeaders();
  }

  /** False: wait for drained() before writing more. */
  write(chunk: Buffer): boolean {
    if (!this.isOpen || this.#isStalled) return true;
    if (this.#cut !== null && this.#sentBytes + chunk.length >= this.#cut.afterBytes) {
      const rest = chunk.subarray(0, Math.max(this.#cut.afterBytes - this.#sentBytes, 0));
      this.#response.write(rest, () => (this.#cut?.end === 'reset' ? this.reset() : this.#response.end()));
      this.#over.abort();
      return true;
    }
    this.#sentBytes += chunk.length;
    if (this.#splitBytes === null) return (this.#gzip ?? this.#response).write(chunk);
    if (this.#parts.length === 0) setImmediate(() => this.#writePart());
    for (let at = 0; at < chunk.length; at += this.#splitBytes) this.#parts.push(chunk.subarray(at, at + this.#splitBytes));
    return false;
  }

  #writePart(): void {
    const part = this.#parts.shift();
    if (!this.isOpen || part === undefined) return;
    (this.#gzip ?? this.#response).write(part);
    if (this.#parts.length > 0) {
      setImmediate(() => this.#writePart());
      return;
    }
    for (const run of this.#onSplitDrain.splice(0)) run();
    if (this.#isEnding && this.#parts.length === 0) (this.#gzip ?? this.#response).end();
  }

  /** Calls `run` once when there is room again; never when the answer is over. */
  onDrain(run: () => void): void {
    if (this.#splitBytes !== null) this.#onSplitDrain.push(run);
    else (this.#gzip ?? this.#response).once('drain', run);
  }

  /** Resolves when there is room again or the answer is over. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      if (!this.isOpen) return resolve();
      this.onDrain(resolve);
      this.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** A proper end of the body. */
  end(): void {
    if (!this.isOpen || this.#isStalled) return;
    this.#isEnding = true;
    if (this.#parts.length === 0) (this.#gzip ?? this.#response).end();
  }

  /** Cuts the connection: the client sees ECONNRESET. */
  reset(): void {
    this.#over.abort();
    this.#response.socket?.resetAndDestroy();
  }

  /** A whole small answer. */
  send(options: { readonly code?: number; readonly type?: string; readonly body: string | Buffer; readonly headers?: Readonly<Record<string, string>> }): void {
    const body = typeof options.body === 'string' ? Buffer.from(options.body) : options.body;
    this.open({ ...options, length: body.length, gzip: body.length > GZIP_BYTES });
    this.write(body);
    this.end();
  }
}
