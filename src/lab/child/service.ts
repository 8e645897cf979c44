import { parentPort } from 'node:worker_threads';
import type { WriteEntry } from '../../bcsstorage/journal.ts';
import { startBcsStorage } from '../../bcsstorage/server.ts';
import { systemClock } from '../../kit/clock.ts';

/** One commit, as the service saw it. */
export interface Commit {
  readonly method: 'PUT' | 'DELETE';
  /** `clusterId/namespace/type/name`. */
  readonly key: string;
  readonly uid: string | null;
  readonly revision: string | null;
  /** By the clock that all threads of a process share: milliseconds since the epoch, with a fraction. */
  readonly at: number;
}

export type ToService = { readonly type: 'latency'; readonly ms: number; readonly jitterMs: number } | { readonly type: 'flush' } | { readonly type: 'close' };
export type FromService =
  | { readonly type: 'ready'; readonly url: string }
  | { readonly type: 'commits'; readonly commits: readonly Commit[] }
  | { readonly type: 'done'; readonly what: ToService['type'] };

// The storage service of bcs-k8s-watch in a thread of its own, so that its work does not stand in the way of what is measured. Tells every commit before
// its client is answered, all of one turn together. It takes whatever comes last, as the old service does.
const port = parentPort;
if (port === null) throw new Error('This file is the code of a thread');
const say = (message: FromService): void => port.postMessage(message);
let commits: Commit[] = [];
const flush = (): void => {
  if (commits.length > 0) say({ type: 'commits', commits });
  commits = [];
};
const service = await startBcsStorage({
  checksRevisions: false,
  onWrite({ method, key, uid, resourceVersion }: WriteEntry) {
    if (commits.length === 0) queueMicrotask(flush);
    commits.push({ method, key, uid, revision: resourceVersion, at: performance.timeOrigin + systemClock.now() });
  },
});
port.on('message', (message: ToService) => {
  switch (message.type) {
    case 'latency':
      service.faults.setLatency(message.ms, message.jitterMs);
      break;
    case 'flush':
      flush();
      break;
    case 'close':
      void service.close().then(() => {
        say({ type: 'done', what: 'close' });
        port.close();
      });
      return;
    default:
      message satisfies never;
  }
  say({ type: 'done', what: message.type });
});
say({ type: 'ready', url: service.url });
