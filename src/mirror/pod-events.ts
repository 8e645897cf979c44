import type { EventSink } from '../cluster/cluster.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import { ApiError, messageOf } from '../model/errors.ts';
import type { MirrorStatus } from '../model/status.ts';
import { type Notice, Notices } from './notices.ts';

/** The pod that this process runs in, as the downward API tells it. */
export interface Pod {
  readonly name: string;
  readonly namespace: string;
  /** '' when it was not told: then `kubectl describe` does not show the Events. */
  readonly uid: string;
}

const LOOK_EVERY_MS = 2_000;
/** More are not kept while the API server takes none: the newest say what counts. */
const MOST_WAITING = 20;

/** The pod of POD_NAME, POD_NAMESPACE and POD_UID; null when this is none. */
export function podOf(env: Readonly<Record<string, string | undefined>>): Pod | null {
  const { POD_NAME: name = '', POD_NAMESPACE: namespace = '', POD_UID: uid = '' } = env;
  return name === '' || namespace === '' ? null : { name, namespace, uid };
}

/** Tells what a person must know as Events of the pod. Whatever becomes of them, the mirror goes on. */
export class PodEvents {
  readonly #parts: { readonly pod: Pod; readonly events: EventSink; readonly status: () => MirrorStatus; readonly clock: Clock; readonly log: Logger };
  readonly #notices = new Notices();
  #waiting: Notice[] = [];
  /** Told in the log once, until one is taken. */
  #isFailing = false;

  constructor(parts: { readonly pod: Pod; readonly events: EventSink; readonly status: () => MirrorStatus; readonly clock: Clock; readonly log: Logger }) {
    this.#parts = parts;
  }

  /** Until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, status } = this.#parts;
    while (!signal.aborted) {
      this.#waiting.push(...this.#notices.next(status()));
      this.#waiting = this.#waiting.slice(-MOST_WAITING);
      await this.#send(signal);
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
  }

  async #send(signal: AbortSignal): Promise<void> {
    const { pod, events, clock, log } = this.#parts;
    for (let notice = this.#waiting[0]; notice !== undefined && !signal.aborted; notice = this.#waiting[0]) {
      try {
        await events.postEvent(pod.namespace, eventOf(pod, notice, clock.wall()), signal);
        this.#waiting.shift();
        this.#isFailing = false;
      } catch (cause) {
        if (signal.aborted) return;
        // A refusal is one tomorrow, too; what was to be said stands in the log and on the status page.
        if (cause instanceof ApiError && cause.status >= 400 && cause.status < 500 && cause.status !== 429) this.#waiting.shift();
        if (!this.#isFailing) log.warn('an Event about this pod could not be written', { reason: notice.reason, error: messageOf(cause) });
        this.#isFailing = true;
        return;
      }
    }
  }
}

function eventOf({ name, namespace, uid }: Pod, { type, reason, message }: Notice, wallMs: number): object {
  const at = new Date(wallMs).toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    apiVersion: 'v1',
    kind: 'Event',
    // Cut so that the API server's random end still fits.
    metadata: { generateName: `${name.slice(0, 230)}.`, namespace },
    involvedObject: { apiVersion: 'v1', kind: 'Pod', name, namespace, ...(uid === '' ? {} : { uid }) },
    ...{ type, reason, message, count: 1, firstTimestamp: at, lastTimestamp: at },
    ...{ source: { component: 'kubefold' }, reportingComponent: 'kubefold', reportingInstance: name },
  };
}
