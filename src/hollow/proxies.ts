import { Agent, type ClientRequest, get } from 'node:http';
import type { Clock } from '../kit/clock.ts';

/** What every hollow proxy follows. */
const PATHS = ['/api/v1/services', '/apis/discovery.k8s.io/v1/endpointslices'];
/** A watch that ended is opened again after so long. */
const AGAIN_MS = 1_000;
const NEWLINE = 10;

export interface HollowProxies {
  /** Events that all of them were sent. */
  readonly events: number;
  /** Resolves when no connection is open. */
  stop(): Promise<void>;
}

/** Watches services and endpoint slices as so many kube-proxies do, each over connections of its own, and throws away what comes. Plain HTTP only. */
export function startProxies(options: { readonly url: string; readonly proxies: number; readonly clock: Clock }): HollowProxies {
  const { url, proxies, clock } = options;
  const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });
  const open = new Set<ClientRequest>();
  const waiting = new Set<() => void>();
  let events = 0;
  let isOver = false;
  let onClosed = (): void => {};
  const follow = (path: string): void => {
    const request = get(`${url}${path}?watch=1&resourceVersion=0&allowWatchBookmarks=true`, { agent }, (response) => {
      response.on('data', (chunk: Buffer) => {
        for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, at + 1)) events++;
      });
      response.on('error', () => {});
    });
    open.add(request);
    request.on('error', () => {});
    request.on('close', () => {
      open.delete(request);
      if (isOver) {
        if (open.size === 0) onClosed();
        return;
      }
      const cancel = clock.after(AGAIN_MS, () => {
        waiting.delete(cancel);
        follow(path);
      });
      waiting.add(cancel);
    });
  };
  for (let proxy = 0; proxy < proxies; proxy++) for (const path of PATHS) follow(path);
  return {
    get events() {
      return events;
    },
    async stop() {
      isOver = true;
      for (const cancel of waiting) cancel();
      const closed = new Promise<void>((resolve) => {
        onClosed = resolve;
        if (open.size === 0) resolve();
      });
      for (const request of [...open]) request.destroy();
      await closed;
      agent.destroy();
    },
  };
}
