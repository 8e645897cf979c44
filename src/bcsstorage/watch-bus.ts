import type { ServerResponse } from 'node:http';
import type { WatchRoute } from './request.ts';
import { type DocumentChange, WATCH_BREAK, watchFrames, type WatchRequest } from './watch-frames.ts';

/** A watcher that lets so many bytes pile up does not read; it is let go with a break. */
const MOST_WAITING_BYTES = 16 * 1024 * 1024;

interface Watcher {
  readonly route: WatchRoute;
  readonly request: WatchRequest;
  readonly response: ServerResponse;
  sent: number;
}

/**
 * Brings changes to the open watches, in the order of commits: it is called by the one writer, after each transaction. A stream that ends says so with a break
 * object; a client that leaves leaves nothing behind.
 */
export class WatchBus {
  readonly #watchers = new Set<Watcher>();

  get size(): number {
    return this.#watchers.size;
  }

  /** Whether somebody wants to know if an update differs from what was stored. */
  get compares(): boolean {
    for (const { request } of this.#watchers) if (request.mustDiff) return true;
    return false;
  }

  open(route: WatchRoute, request: WatchRequest, response: ServerResponse): void {
    const watcher: Watcher = { route, request, response, sent: 0 };
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.flushHeaders();
    this.#watchers.add(watcher);
    response.once('close', () => this.#watchers.delete(watcher));
  }

  publish(changes: readonly DocumentChange[]): void {
    if (this.#watchers.size === 0) return;
    for (const change of changes) {
      let frames: readonly string[] | null = null;
      for (const watcher of this.#watchers) {
        if (!isFor(watcher, change)) continue;
        frames ??= watchFrames(change);
        this.#send(watcher, frames);
      }
    }
  }

  /** Ends every stream. */
  close(): void {
    for (const watcher of this.#watchers) this.#end(watcher);
  }

  #send(watcher: Watcher, frames: readonly string[]): void {
    const { request, response } = watcher;
    for (const frame of frames) {
      response.write(frame);
      watcher.sent++;
      const isEnough = request.maxEvents > 0 && watcher.sent >= request.maxEvents;
      if (isEnough || response.writableLength > MOST_WAITING_BYTES) return this.#end(watcher);
    }
  }

  #end(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    watcher.response.end(WATCH_BREAK);
  }
}

function isFor({ route, request }: Watcher, change: DocumentChange): boolean {
  if (route.collection !== change.collection || route.cluster !== change.cluster) return false;
  if (route.type !== null && route.type !== change.type) return false;
  return !(request.mustDiff && change.hasDiff === false);
}
