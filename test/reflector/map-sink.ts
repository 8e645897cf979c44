import { isNewer } from '../../src/model/revision.ts';
import type { RawObject } from '../../src/model/raw-object.ts';
import type { ListReason, ReflectorSink, ReflectorStatus } from '../../src/reflector/reflector.ts';
import type { ScriptedCluster } from '../support/scripted-cluster.ts';

interface Entry {
  readonly uid: string;
  readonly revision: string;
}

/**
 * The dumb twin of the cache: a Map, mark and sweep, and the guard against older objects. It checks at every call what must always hold, and
 * collects the breaches instead of throwing, because a throwing sink is another story.
 */
export class MapSink implements ReflectorSink {
  readonly entries = new Map<string, Entry>();
  readonly calls: string[] = [];
  readonly breaches: string[] = [];
  readonly statuses: ReflectorStatus[] = [];
  readonly damages: Error[] = [];
  progressed = '';
  lists = 0;
  heards = 0;
  /** Replaced by tests that let a page wait. */
  waitForRoom: (signal: AbortSignal) => Promise<void> = async () => {};
  readonly #cluster: ScriptedCluster | null;
  #seen: Set<string> | null = null;
  #reason: ListReason = 'first';
  #isSweepable = true;

  /** With a cluster, every published revision is checked against what that cluster held at it. */
  constructor(cluster: ScriptedCluster | null = null) {
    this.#cluster = cluster;
  }

  get state(): ReadonlyMap<string, string> {
    return new Map([...this.entries].map(([key, { uid, revision }]) => [key, `${uid}@${revision}`] as const));
  }

  listBegin(reason: ListReason): void {
    this.calls.push(`begin ${reason}`);
    if (this.#seen !== null) this.breaches.push('a list began inside a list');
    this.#seen = new Set();
    this.#reason = reason;
    this.#isSweepable = true;
  }

  object(object: RawObject, from: 'list' | 'watch'): void {
    const key = `${object.namespace}/${object.name}`;
    this.calls.push(`${from} ${object.name}@${object.revision}`);
    if ((this.#seen !== null) !== (from === 'list')) this.breaches.push(`an object from a ${from} came ${this.#seen === null ? 'outside' : 'inside'} a list`);
    this.#seen?.add(key);
    const old = this.entries.get(key);
    const isOlder = old !== undefined && old.uid === object.uid && !isNewer(object.revision, old.revision);
    if (isOlder && !(this.#seen !== null && this.#reason === 'regressed')) return;
    this.entries.set(key, { uid: object.uid, revision: object.revision });
  }

  deleted(object: RawObject): void {
    this.calls.push(`deleted ${object.name}@${object.revision}`);
    const key = `${object.namespace}/${object.name}`;
    const old = this.entries.get(key);
    this.#seen?.delete(key);
    if (old !== undefined && old.uid === object.uid) this.entries.delete(key);
  }

  listEnd(revision: string): void {
    this.calls.push(`end ${revision}`);
    if (this.#seen === null) this.breaches.push('a list ended that had not begun');
    if (this.#isSweepable) for (const key of [...this.entries.keys()]) if (this.#seen?.has(key) === false) this.entries.delete(key);
    this.#seen = null;
    this.lists++;
    this.#publish(revision);
  }

  listAbort(): void {
    this.calls.push('abort');
    if (this.#seen === null) this.breaches.push('a list was aborted that had not begun');
    this.#seen = null;
  }

  progress(revision: string): void {
    this.calls.push(`progress ${revision}`);
    if (this.#seen !== null) this.breaches.push('progress inside a list');
    this.#publish(revision);
  }

  heard(): void {
    this.heards++;
  }

  damaged(error: Error): void {
    this.damages.push(error);
    this.#isSweepable = false;
  }

  room(signal: AbortSignal): Promise<void> {
    return this.waitForRoom(signal);
  }

  status(status: ReflectorStatus): void {
    this.statuses.push(status);
  }

  #publish(revision: string): void {
    this.progressed = revision;
    if (this.#cluster === null) return;
    if (isNewer(revision, this.#cluster.revision)) this.breaches.push(`revision ${revision} is ahead of the cluster`);
    const then = this.#cluster.truthAt(revision);
    for (const [key, wanted] of then) {
      const entry = this.entries.get(key);
      if (wanted === null && entry !== undefined && !isNewer(entry.revision, revision)) this.breaches.push(`at ${revision}, ${key} should be gone`);
      if (wanted !== null && entry === undefined && this.#cluster.truthAt(this.#cluster.revision).get(key) !== null)
        this.breaches.push(`at ${revision}, ${key} is missing`);
      if (wanted !== null && entry !== undefined && isNewer(wanted, entry.revision)) this.breaches.push(`at ${revision}, ${key} is only at ${entry.revision}`);
    }
  }
}
