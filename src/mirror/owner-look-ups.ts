import type { Cluster } from '../cluster/cluster.ts';
import { ListReader } from '../json/list-reader.ts';
import { Alarm } from '../kit/alarm.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import { within } from '../kit/within.ts';
import { ApiError, messageOf } from '../model/errors.ts';
import { objectKey, type ObjectKey } from '../model/key.ts';
import { apiVersionOf, groupOf, type Kind, kindId } from '../model/kind.ts';
import type { RawObject } from '../model/raw-object.ts';
import type { Link, Missing } from '../transform/owners.ts';
import { scanObject } from './scan-object.ts';

const TIMEOUT_MS = 5_000;
/** How long a write waits for an owner: an answer takes milliseconds, the first list of a kind seconds. */
const PATIENCE_MS = 3_000;
const PATIENCE_FOR_LIST_MS = 10_000;
/** How often it is asked whether that list is complete. */
const LIST_CHECK_MS = 500;
/** The watch of an owner's kind may be so much behind that of what it owns. */
const WATCH_LAG_MS = 200;
/** How long a kind that may not be read, or is not there, is left alone. */
const REFUSED_MS = 600_000;
const RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;
const IDLE_MS = 3_600_000;
/** The kind may not be read, or is not served. A 404 of the object alone is no error. */
const REFUSALS: readonly number[] = [403, 404, 405];
const MOST_AT_ONCE = 500;
/** From so many on a list of the whole kind is cheaper than a get each. */
const LIST_FROM = 50;
const PAGE_SIZE = 500;
const GETS_AT_ONCE = 8;
const BREATHE_EVERY = 50;
const BREATH_MS = 1;

/** How changes of an owner get here: its kind is not mirrored, its first list is not complete, it is known, or it has not come (yet). */
export type Route = 'none' | 'coming' | 'known' | 'not known';

/** What became of the look-ups, as the metric names it. */
export const LOOK_UPS = ['stored', 'found', 'absent', 'refused', 'failed'] as const;
export type LookUp = (typeof LOOK_UPS)[number];

export interface OwnerLookUpsOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly log: Logger;
  /** The kind that an owner is of, as discovery knows it. */
  readonly kindOf: (missing: Missing) => Kind | null;
  readonly routeOf: (kind: Kind, key: ObjectKey, uid: string) => Route;
  /** The owner as its row shows it, when the row is known to be what the object is now; else null. */
  readonly stored: (kind: Kind, key: ObjectKey, uid: string) => Promise<RawObject | null>;
  readonly isNeeded: (uid: string) => boolean;
  readonly learned: (uid: string, link: Link) => void;
  /** It will not be known for a while. */
  readonly refused: (uid: string) => void;
}

interface Wanted {
  readonly missing: Missing;
  readonly since: number;
  due: number;
  patienceMs: number;
  failures: number;
}

/**
 * Looks for owners that nothing has told of: that came before this process, have not come yet, or never come because their kind is not mirrored. From their
 * row when it is current, else from the API server, many by a list of their kind. What cannot be found holds up nobody for longer than a stated time.
 */
export class OwnerLookUps {
  readonly counts: Record<LookUp, number> = { stored: 0, found: 0, absent: 0, refused: 0, failed: 0 };
  readonly #options: OwnerLookUpsOptions;
  readonly #alarm: Alarm;
  readonly #wanted = new Map<string, Wanted>();
  /** Kinds that may not be read, and until when they are left alone. */
  readonly #refused = new Map<string, number>();
  #awakeAt = Number.POSITIVE_INFINITY;

  constructor(options: OwnerLookUpsOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.clock);
  }

  get waiting(): number {
    return this.#wanted.size;
  }

  /** Whether an answer is still worth waiting for. */
  get isAsking(): boolean {
    const now = this.#options.clock.now();
    return [...this.#wanted.values()].some(({ missing, since, patienceMs }) => since + patienceMs > now && !this.#isRefused(groupKind(missing)));
  }

  /** Asks for an owner. Returns how many ms are worth waiting for it; 0 when it was waited for long enough, or will not come. */
  request(missing: Missing): number {
    const { clock } = this.#options;
    const now = clock.now();
    const { uid } = missing.ref;
    let wanted = this.#wanted.get(uid);
    if (wanted === undefined) {
      const route = this.#routeOf(missing);
      const patienceMs = route === 'coming' ? PATIENCE_FOR_LIST_MS : PATIENCE_MS;
      const graceMs = route === 'coming' ? LIST_CHECK_MS : route === 'not known' ? WATCH_LAG_MS : 0;
      wanted = { missing, since: now, due: now + graceMs, patienceMs, failures: 0 };
      this.#wanted.set(uid, wanted);
      this.#postpone(wanted, Math.max(wanted.due, this.#refused.get(groupKind(missing)) ?? 0));
    }
    return this.#isRefused(groupKind(missing)) ? 0 : Math.max(0, wanted.since + wanted.patienceMs - now);
  }

  /** It was told of by somebody else. */
  known(uid: string): void {
    this.#wanted.delete(uid);
  }

  /** The kinds of the cluster have changed: what was not there may be now. */
  kindsChanged(): void {
    if (this.#refused.size === 0) return;
    this.#refused.clear();
    for (const wanted of this.#wanted.values()) this.#postpone(wanted, this.#options.clock.now());
  }

  /** Works until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const now = clock.now();
      let next = now + IDLE_MS;
      const due: Wanted[] = [];
      for (const wanted of this.#wanted.values()) {
        if (wanted.due > now) next = Math.min(next, wanted.due);
        else if (due.push(wanted) === MOST_AT_ONCE) break;
      }
      if (due.length === 0) {
        this.#awakeAt = next;
        await this.#alarm.wait(next - now, signal);
      } else await this.#lookAt(due, signal);
    }
  }

  async #lookAt(due: readonly Wanted[], signal: AbortSignal): Promise<void> {
    const { kindOf, isNeeded, clock } = this.#options;
    for (const group of Map.groupBy(due, ({ missing }) => groupKind(missing)).values()) {
      const [first] = group;
      const kind = first === undefined ? null : kindOf(first.missing);
      const open: Wanted[] = [];
      let looks = 0;
      for (const wanted of group) {
        const { uid } = wanted.missing.ref;
        if (this.#wanted.get(uid) !== wanted) continue;
        if (!isNeeded(uid)) this.#wanted.delete(uid);
        else if (kind === null) this.#refuse(wanted, 'the cluster has no such kind');
        else if (this.#routeOf(wanted.missing) === 'coming') this.#postpone(wanted, clock.now() + LIST_CHECK_MS);
        else if (!(await this.#fromRow(kind, wanted))) open.push(wanted);
        if (++looks % BREATHE_EVERY === 0) await clock.sleep(BREATH_MS, signal);
        if (signal.aborted) return;
      }
      if (kind !== null && open.length > 0) await this.#fromCluster(kind, open, signal);
    }
  }

  async #fromRow(kind: Kind, wanted: Wanted): Promise<boolean> {
    const { stored, log } = this.#options;
    const { uid } = wanted.missing.ref;
    try {
      const row = await stored(kind, keyOf(kind, wanted.missing), uid);
      if (row === null) return false;
      if (this.#wanted.get(uid) === wanted) this.#settle(uid, 'stored', row);
      return true;
    } catch (cause) {
      log.debug('cannot read the row of an owner', { kind: kindId(kind), error: messageOf(cause) });
      return false;
    }
  }

  async #fromCluster(kind: Kind, open: readonly Wanted[], signal: AbortSignal): Promise<void> {
    // One alone tells whether the kind may be read.
    const [first, ...rest] = open;
    if (first === undefined) return;
    await this.#get(kind, first, signal);
    if (open.length >= LIST_FROM && !this.#isRefused(groupKind(first.missing)) && (await this.#list(kind, signal))) {
      // Each was asked for before the list began, and what names an owner is younger than the owner.
      for (const wanted of rest) if (this.#wanted.get(wanted.missing.ref.uid) === wanted) this.#settle(wanted.missing.ref.uid, 'absent', null);
      return;
    }
    for (let at = 0; at < rest.length; at += GETS_AT_ONCE) {
      await Promise.all(rest.slice(at, at + GETS_AT_ONCE).map((wanted) => this.#get(kind, wanted, signal)));
      if (signal.aborted) return;
    }
  }

  async #get(kind: Kind, wanted: Wanted, signal: AbortSignal): Promise<void> {
    const { cluster, clock, log } = this.#options;
    const { uid } = wanted.missing.ref;
    if (this.#wanted.get(uid) !== wanted || wanted.due > clock.now()) return;
    try {
      const bytes = await within(clock, TIMEOUT_MS, signal, (bounded) => cluster.get(kind, keyOf(kind, wanted.missing), bounded));
      const object = bytes === null ? null : scanObject(kind, bytes);
      // Another of the same name is not the owner: that one is gone.
      if (this.#wanted.get(uid) === wanted) this.#settle(uid, object?.uid === uid ? 'found' : 'absent', object?.uid === uid ? object : null);
    } catch (cause) {
      if (signal.aborted) return;
      if (cause instanceof ApiError && REFUSALS.includes(cause.status)) this.#refuse(wanted, cause.message);
      else {
        this.counts.failed++;
        const delayMs = Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** wanted.failures++);
        this.#postpone(wanted, clock.now() + delayMs);
        log.debug('cannot look up an owner, will retry', { kind: kindId(kind), name: wanted.missing.ref.name, retryMs: delayMs, error: messageOf(cause) });
      }
    }
  }

  /** Whether it was complete. */
  async #list(kind: Kind, signal: AbortSignal): Promise<boolean> {
    const { cluster, log } = this.#options;
    let token: string | null = null;
    let damaged = 0;
    try {
      do {
        const reader: ListReader = new ListReader({
          kind: kind.kind,
          apiVersion: apiVersionOf(kind),
          onItem: (object) => {
            if (this.#wanted.has(object.uid)) this.#settle(object.uid, 'found', object);
          },
          onDamaged: () => {
            damaged++;
          },
        });
        const query = token === null ? { limit: PAGE_SIZE } : { limit: PAGE_SIZE, continue: token };
        await cluster.list(kind, '', query, (chunk) => reader.push(chunk), signal);
        token = reader.end().continue;
      } while (token !== null);
      return damaged === 0;
    } catch (cause) {
      if (!signal.aborted) log.debug('cannot list a kind of owners, they are looked up one by one', { kind: kindId(kind), error: messageOf(cause) });
      return false;
    }
  }

  #settle(uid: string, outcome: LookUp, object: RawObject | null): void {
    this.#wanted.delete(uid);
    this.counts[outcome]++;
    const owner = object?.owner() ?? null;
    this.#options.learned(uid, object === null ? 'absent' : owner?.isController === true ? owner : null);
  }

  /** Its whole kind is left alone for a while; one look after that tells whether it still is so. */
  #refuse({ missing }: Wanted, why: string): void {
    const { clock, log, refused } = this.#options;
    const id = groupKind(missing);
    const until = clock.now() + REFUSED_MS;
    this.counts.refused++;
    if (!this.#isRefused(id)) log.warn('owners of a kind cannot be looked up: what is known of them without that is written', { kind: id, error: why });
    this.#refused.set(id, until);
    for (const [uid, wanted] of this.#wanted) {
      if (groupKind(wanted.missing) !== id) continue;
      this.#postpone(wanted, until);
      refused(uid);
    }
  }

  #isRefused(id: string): boolean {
    return (this.#refused.get(id) ?? 0) > this.#options.clock.now();
  }

  #postpone(wanted: Wanted, due: number): void {
    wanted.due = due;
    if (due >= this.#awakeAt) return;
    this.#awakeAt = due;
    this.#alarm.set(due - this.#options.clock.now());
  }

  #routeOf(missing: Missing): Route {
    const { kindOf, routeOf } = this.#options;
    const kind = kindOf(missing);
    return kind === null ? 'none' : routeOf(kind, keyOf(kind, missing), missing.ref.uid);
  }
}

function keyOf(kind: Kind, { ref, namespace }: Missing): ObjectKey {
  return objectKey(kind.namespaced ? namespace : '', ref.name);
}

/** `ReplicaSet.apps`: the version says nothing. */
function groupKind({ ref: { apiVersion, kind } }: Missing): string {
  const group = groupOf(apiVersion);
  return group === '' ? kind : `${kind}.${group}`;
}
