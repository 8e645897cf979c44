import type { LRUCache } from 'lru-cache';
import type { Clock } from '../../kit/clock.ts';
import { messageOf, StorageError } from '../../model/errors.ts';
import type { ObjectKey } from '../../model/key.ts';
import type { KindId } from '../../model/kind.ts';
import { type Outcome, STALE, WRITTEN } from '../../model/outcome.ts';
import { isNewer } from '../../model/revision.ts';
import { Tombstones } from '../memory/tombstones.ts';
import type { Put, Write } from '../storage.ts';
import { bodyHash, documentBody, eventBody } from './documents.ts';
import type { Effect, LateVerdict, Verdict } from './envelope.ts';
import { documentPath, EVENTS_PATH, isEvent, type Place, placeOf, uidCondition } from './routes.ts';
import type { BcsService } from './service.ts';
import { type Doubt, type Intent, isSame, type Known, settle } from './settle.ts';
import { StoredKeys } from './stored-keys.ts';
import type { NamedKind } from './type-names.ts';

/** A document without uid and revision. */
const NO_OBJECT = documentBody(Buffer.from('{}'));

export interface KindWriterOptions {
  readonly id: KindId;
  readonly named: NamedKind;
  readonly cluster: string;
  readonly service: BcsService;
  readonly clock: Clock;
  /** Other shards write documents of the kind, too: a document may be another object's by now. */
  readonly isShared: boolean;
  /** Of the bodies that were stored last, by kind and key. */
  readonly hashes: LRUCache<string, string>;
}

/**
 * Writes the documents of one kind. The caller hands in one write of a key at a time. The service takes whatever comes last, so before a key moves on after
 * a request whose effect is not known, what is stored is looked at (settle.ts).
 */
export class KindWriter {
  readonly keys: StoredKeys;
  readonly #options: KindWriterOptions;
  readonly #isEvents: boolean;

  constructor(options: KindWriterOptions) {
    const { id, named, hashes } = options;
    this.#options = options;
    this.#isEvents = isEvent(named.kind);
    this.keys = new StoredKeys(new Tombstones(), (key) => hashes.get(`${id} ${key}`));
  }

  /** `beforePut` is awaited before a document is stored. Throws StorageError when the service cannot be read. */
  async write(write: Write, beforePut: () => Promise<void>): Promise<Outcome> {
    const key = keyOf(write);
    const intent: Intent =
      write.type === 'put' ? { stored: { uid: write.meta.uid, revision: write.meta.revision }, hash: bodyHash(write.body) } : { stored: null, hash: '' };
    const why = await this.#settleDoubt(key, intent);
    if (why !== null) return { kind: 'retry', error: why };
    const judged = this.keys.judge(write, intent.hash, this.#options.clock.wall());
    if (judged !== null) return judged;
    if (write.type === 'put') await beforePut();
    else if (this.#isEvents) {
      this.#stored(key, intent);
      return WRITTEN;
    }
    let body: Buffer | undefined;
    try {
      body = this.#bodyOf(write);
    } catch (cause) {
      return { kind: 'rejected', error: `the event is not JSON: ${messageOf(cause)}` };
    }
    const isNew = write.type === 'put' && write.isInitial !== true && this.keys.rows.get(key)?.uid !== write.meta.uid;
    const verdict = await this.#send(write, body);
    const outcome = verdict === null ? STALE : await this.#settle(key, intent, verdict);
    const mayBeOverwritten = this.#options.isShared && !this.#isEvents && isNew && outcome.kind === 'written';
    return mayBeOverwritten ? await this.#lookAfter(write, intent, body) : outcome;
  }

  /**
   * An object has come, perhaps under a name that one of another shard had before: a put of that one that was under way may have come after this one, and its
   * delete taken the document away. So what stands there is looked at once, and put right. For a change of an object that is known nothing of that can be.
   */
  async #lookAfter(write: Put, intent: Intent, body: Buffer | undefined): Promise<Outcome> {
    const { key, uid, revision } = write.meta;
    try {
      const found = await this.#look(key);
      if (found !== null && (found.uid === uid || isNewer(found.revision, revision))) return WRITTEN;
    } catch (cause) {
      // It was written; whether it stands is for the audit to see.
      if (cause instanceof StorageError) return WRITTEN;
      throw cause;
    }
    const verdict = await this.#send(write, body);
    return verdict === null ? STALE : await this.#settle(key, intent, verdict);
  }

  #bodyOf(write: Write): Buffer | undefined {
    if (write.type === 'delete') return undefined;
    return this.#isEvents ? eventBody(this.#options.cluster, write.body) : documentBody(write.body);
  }

  /** Null: the service has a newer one. */
  async #send(write: Write, body: Buffer | undefined): Promise<Verdict | null> {
    const { service, cluster } = this.#options;
    const key = keyOf(write);
    const condition = write.type === 'delete' && this.#options.isShared ? uidCondition(write.uid) : '';
    const path = this.#isEvents ? EVENTS_PATH : documentPath(cluster, this.#placeOf(key), key) + condition;
    const method = write.type === 'put' ? 'PUT' : 'DELETE';
    const verdict = await service.ask({ method, path, body });
    if (verdict.is !== 'done' || !verdict.isStale) return verdict;
    const found = await this.#look(key);
    if (found !== null && !(write.type === 'put' && write.force === true)) return null;
    // What the service takes for newer was deleted, or is of a history that is over: a document of no revision in between makes it forget that.
    const between = await service.ask({ method, path, body: NO_OBJECT });
    return between.is === 'done' ? await service.ask({ method, path, body }) : between;
  }

  async #settle(key: ObjectKey, intent: Intent, verdict: Verdict): Promise<Outcome> {
    switch (verdict.is) {
      case 'done':
      case 'absent':
        this.#stored(key, intent);
        return WRITTEN;
      case 'refused':
        return { kind: 'rejected', error: verdict.error };
      case 'failed':
        this.#options.hashes.delete(`${this.#options.id} ${key}`);
        // Events are only ever added: the same once more is no other.
        if (!this.#isEvents) this.#doubt(key, intent, verdict.effect, verdict.late);
        else verdict.late?.cut();
        return verdict.effect === 'open' && (await this.#wasCarriedOut(key, intent)) ? WRITTEN : { kind: 'retry', error: verdict.error };
      default:
        return verdict satisfies never;
    }
  }

  /** Null when the way is free for the next request of the key; else why it has to wait. */
  async #settleDoubt(key: ObjectKey, next: Intent): Promise<string | null> {
    const { doubts } = this.keys;
    const doubt = doubts.get(key);
    if (doubt === undefined) return null;
    const found = await this.#look(key);
    const settlement = settle(doubt, found, next, this.#options.clock.now());
    if (settlement.is === 'wait')
      return 'an earlier request of this key was not answered and may still arrive: the key waits until it is known what became of it';
    if (settlement.is === 'settled') {
      doubts.delete(key);
      doubt.cut?.();
    } else doubts.set(key, { ...doubt, tells: false });
    return null;
  }

  #placeOf(key: ObjectKey): Place {
    return placeOf(this.#options.named.type, key);
  }

  /** What is stored just now; the guards know it then. */
  async #look(key: ObjectKey): Promise<Known | null> {
    const found = await this.#options.service.look(this.#options.cluster, this.#placeOf(key), key);
    if (found === null) this.keys.rows.delete(key);
    else this.keys.rows.set(key, found);
    return found;
  }

  #stored(key: ObjectKey, { stored, hash }: Intent): void {
    const { hashes, id } = this.#options;
    if (stored === null) {
      this.keys.rows.delete(key);
      hashes.delete(`${id} ${key}`);
    } else {
      this.keys.rows.set(key, stored);
      hashes.set(`${id} ${key}`, hash);
    }
  }

  #doubt(key: ObjectKey, intent: Intent, effect: Effect, late: LateVerdict | undefined): void {
    const { doubts, rows } = this.keys;
    const before = doubts.get(key);
    if (effect === 'none') return;
    if (effect === 'unsure') {
      // An older request of the same may still be open: this one says nothing of it.
      if (before === undefined) doubts.set(key, { ...intent, how: 'answered', since: 0, tells: false });
      return;
    }
    const tells = before === undefined && !isSame(rows.get(key) ?? null, intent.stored);
    const open = { ...intent, how: 'open', tells } as const;
    const now = (): number => this.#options.clock.now();
    if (late === undefined) {
      doubts.set(key, { ...open, since: now() });
      return;
    }
    const pending: Doubt = { ...open, how: 'pending', since: now(), cut: () => late.cut() };
    doubts.set(key, pending);
    void late.verdict.then((verdict) => {
      if (doubts.get(key) === pending) doubts.set(key, verdict === null ? { ...open, since: now() } : { ...open, how: 'answered', since: now() });
    });
  }

  /** A request was given up a moment ago: most often it was done, and only its answer was lost. */
  async #wasCarriedOut(key: ObjectKey, intent: Intent): Promise<boolean> {
    const { doubts } = this.keys;
    if (doubts.get(key)?.tells !== true) return false;
    const before = this.keys.rows.get(key) ?? null;
    const found = await this.#look(key).catch(() => before);
    if (!isSame(found, intent.stored)) return false;
    doubts.get(key)?.cut?.();
    doubts.delete(key);
    this.#stored(key, intent);
    return true;
  }
}

export function keyOf(write: Write): ObjectKey {
  return write.type === 'put' ? write.meta.key : write.key;
}
