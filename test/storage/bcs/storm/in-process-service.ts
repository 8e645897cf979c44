import { EventEmitter } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { DatabaseSync } from 'node:sqlite';
import type { Dispatcher } from 'undici';
import { openDatabase } from '../../../../src/bcsstorage/database.ts';
import { Faults } from '../../../../src/bcsstorage/faults.ts';
import type { WriteEntry } from '../../../../src/bcsstorage/journal.ts';
import { Requests } from '../../../../src/bcsstorage/requests.ts';
import { createService } from '../../../../src/bcsstorage/service.ts';
import { StatsCounter } from '../../../../src/bcsstorage/stats.ts';
import { WatchBus } from '../../../../src/bcsstorage/watch-bus.ts';
import { Writer } from '../../../../src/bcsstorage/writer.ts';
import type { Clock } from '../../../../src/kit/clock.ts';
import type { Random } from '../../../../src/kit/random.ts';
import type { Transport } from '../../../../src/storage/bcs/http-client.ts';

/**
 * The storage service without a socket: its routes, faults, writer and database as they are, and requests that take no time but that of the clock. Like the old
 * service it takes whatever comes last.
 */
export class InProcessService {
  readonly faults: Faults;
  /** Every write that it accepted, in the order of its commits. */
  readonly journal: WriteEntry[] = [];
  /** Every request that reached it, in their order. */
  readonly asked: { readonly at: number; readonly method: string; readonly path: string }[] = [];
  readonly db: DatabaseSync;
  readonly #requests: Requests;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
    this.faults = new Faults(random);
    this.db = openDatabase(':memory:');
    const watches = new WatchBus();
    const writer = new Writer(this.db, ({ entries }) => void this.journal.push(...entries));
    const service = createService({ db: this.db, clock, writer, watches, checksRevisions: false });
    this.#requests = new Requests({ service, faults: this.faults, watches, stats: new StatsCounter(), clock, token: null });
  }

  readonly connect = (): Transport => ({
    dispatch: (options, handler) => {
      this.#clock.after(this.#transitMs(), () => this.#carry(options, handler));
      return true;
    },
    close: () => Promise.resolve(),
    destroy: () => Promise.resolve(),
  });

  /** In either direction. */
  #transitMs(): number {
    return 3 * this.#random.next();
  }

  #carry({ path, method, body }: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.asked.push({ at: this.#clock.now(), method, path });
    const response = new Response();
    const request = new Request(method, path);
    const controller = new Controller((reason) => {
      response.leave();
      handler.onResponseError?.(controller, reason);
    });
    handler.onRequestStart?.(controller, {});
    if (controller.aborted) return;
    response.onReset = () => controller.abort(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
    response.onEnd = () =>
      this.#clock.after(this.#transitMs(), () => {
        if (controller.aborted) return;
        handler.onResponseStart?.(controller, response.status, response.headers);
        if (response.body.length > 0) handler.onResponseData?.(controller, response.body);
        handler.onResponseEnd?.(controller, {});
      });
    void this.#requests.handle(request as unknown as IncomingMessage, response as unknown as ServerResponse);
    request.arrive(Buffer.isBuffer(body) ? body : null);
  }
}

class Controller implements Dispatcher.DispatchController {
  aborted = false;
  paused = false;
  reason: Error | null = null;
  readonly #onAbort: (reason: Error) => void;

  constructor(onAbort: (reason: Error) => void) {
    this.#onAbort = onAbort;
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.#onAbort(reason);
  }

  pause(): void {
    throw new Error('Nobody pauses an answer of a few bytes');
  }

  resume(): void {}
}

class Request extends EventEmitter {
  readonly headers = {};
  complete = false;
  readonly method: string;
  readonly url: string;

  constructor(method: string, url: string) {
    super();
    this.method = method;
    this.url = url;
  }

  arrive(body: Buffer | null): void {
    if (body !== null) this.emit('data', body);
    this.complete = true;
    this.emit('end');
    this.emit('close');
  }
}

/** What the service says, and what it sees of a client that leaves: nothing but a closed connection. */
class Response extends EventEmitter {
  onReset: () => void = () => {};
  onEnd: () => void = () => {};
  status = 0;
  headers: IncomingHttpHeaders = {};
  body = Buffer.alloc(0);
  destroyed = false;
  readonly socket = { resetAndDestroy: (): void => this.destroy() };

  writeHead(status: number, headers: Readonly<Record<string, string | number>>): void {
    this.status = status;
    this.headers = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
  }

  end(text = ''): void {
    this.body = Buffer.from(text);
    if (!this.destroyed) this.onEnd();
  }

  destroy(): void {
    this.leave();
    this.onReset();
  }

  leave(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
}
