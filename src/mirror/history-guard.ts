import type { Cluster } from '../cluster/cluster.ts';
import { ListReader } from '../json/list-reader.ts';
import { Alarm } from '../kit/alarm.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import { within } from '../kit/within.ts';
import { ApiError, messageOf } from '../model/errors.ts';
import type { Kind, KindId } from '../model/kind.ts';
import { compareRevisions, type Revision } from '../model/revision.ts';
import type { Sharding } from './sharding.ts';

/** Bounds how long a copy of a cluster that is no more can stand; costs two small requests a minute. */
const CHECK_EVERY_MS = 60_000;
/** After a reconnect: soon, but once for all watches that came back together. */
const CHECK_AFTER_RECONNECT_MS = 1_000;
/** A server that took the question and says nothing is asked anew, or the next look would never come. */
const LOOK_TIMEOUT_MS = 15_000;

/** Every cluster has it, and one list of it tells the newest revision of the store. */
const NAMESPACES: Kind = {
  group: '',
  version: 'v1',
  resource: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
  singular: 'namespace',
  shortNames: [],
  categories: [],
};

/** What was seen of the cluster's history. Revisions are compared with those of the same kind only: others may live in another etcd. */
export interface HistoryMark {
  /** The uid of namespace kube-system; null when it may not be read. */
  readonly identity: string | null;
  /** The newest revision; null when namespaces may not be listed. */
  readonly revision: Revision | null;
}

/** Why `now` cannot be a later moment of the history that `before` belongs to; null when it can. */
export function brokenHistory(before: HistoryMark, now: HistoryMark): string | null {
  if (before.identity !== null && now.identity !== null && before.identity !== now.identity)
    return 'the cluster is another one: the uid of namespace kube-system changed';
  if (before.revision !== null && now.revision !== null && compareRevisions(now.revision, before.revision) < 0) {
    return `the history of the cluster went back from revision ${before.revision} to ${now.revision}`;
  }
  return null;
}

export interface HistoryGuardOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly log: Logger;
  /** Has the kinds listed anew that run, and returns them. */
  readonly onBroken: () => Iterable<KindId>;
  /** How far the watch of namespaces has got, null when nobody watches them: it may be further than the last look, when looks fail. */
  readonly delivered: () => Revision | null;
  /** Is told of every list. Absent: everything is mirrored. */
  readonly sharding?: Sharding | null | undefined;
}

/**
 * Notices that etcd was wiped or restored while watches are open: the watch of an old revision is answered with 200 and silence, for ever
 * (seen on a real API server), and no event will ever say so. Looks once a minute and after every reconnect.
 */
export class HistoryGuard {
  readonly #options: HistoryGuardOptions;
  #before: HistoryMark = { identity: null, revision: null };
  /** Kinds that listed anew when the history went back, or began since; null when it did not. */
  #aware: Set<KindId> | null = null;
  /** What the watch of namespaces had delivered when the history went back. While they cannot be listed anew it still says so, of a history that is over. */
  #outlived: Revision | null = null;
  readonly #alarm: Alarm;

  constructor(options: HistoryGuardOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.clock);
  }

  /** A watch was opened again. */
  reconnected(): void {
    this.#alarm.set(CHECK_AFTER_RECONNECT_MS);
  }

  /** Whether the history went back while nobody followed a kind that begins just now: then its record is of the old one. True once. */
  isNewsTo(kind: KindId): boolean {
    if (this.#aware === null || this.#aware.has(kind)) return false;
    this.#aware.add(kind);
    return true;
  }

  /** What was seen last. */
  get seen(): HistoryMark {
    return this.#before;
  }

  /** The first look, before anything is concluded from what an earlier process recorded. Throws as the cluster does. */
  async begin(signal: AbortSignal): Promise<void> {
    this.#before = await this.#look(signal);
  }

  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#alarm.wait(CHECK_EVERY_MS, signal);
      if (signal.aborted) return;
      await this.check(signal);
    }
  }

  /** Looks now, and has everything listed anew when the history went back. False when it could not look. */
  async check(signal: AbortSignal): Promise<boolean> {
    const { log, onBroken } = this.#options;
    try {
      const delivered = this.#options.delivered();
      if (delivered !== this.#outlived) this.#outlived = null;
      const before = { ...this.#before, revision: newest(this.#before.revision, this.#outlived === null ? delivered : null) };
      const now = await this.#look(signal);
      const why = brokenHistory(before, now);
      this.#before = { identity: now.identity ?? this.#before.identity, revision: now.revision ?? this.#before.revision };
      if (why !== null) {
        log.error('everything is listed anew', { reason: why });
        this.#outlived = this.#options.delivered();
        this.#aware = new Set(onBroken());
      }
      return true;
    } catch (cause) {
      // The reflectors meet the same API server and say what is wrong with it.
      if (!signal.aborted) log.debug('cannot look at the history of the cluster, will retry', { error: messageOf(cause) });
      return false;
    }
  }

  #look(signal: AbortSignal): Promise<HistoryMark> {
    return within(this.#options.clock, LOOK_TIMEOUT_MS, signal, (bounded) => this.#ask(bounded));
  }

  async #ask(signal: AbortSignal): Promise<HistoryMark> {
    const { cluster } = this.#options;
    const reader = new ListReader({ kind: NAMESPACES.kind, apiVersion: 'v1', onItem() {}, onDamaged() {} });
    const identity = await cluster.identity(signal);
    const revision = await cluster
      .list(NAMESPACES, '', { limit: 1 }, (chunk) => reader.push(chunk), signal)
      .then(
        () => {
          const end = reader.end();
          this.#options.sharding?.listed(NAMESPACES, end);
          return end.revision;
        },
        (cause: unknown) => {
          if (cause instanceof ApiError && cause.status === 403) return null;
          throw cause;
        },
      );
    return { identity, revision };
  }
}

function newest(a: Revision | null, b: Revision | null): Revision | null {
  return a === null || (b !== null && compareRevisions(b, a) > 0) ? b : a;
}
