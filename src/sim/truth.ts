import { objectKey, type ObjectKey } from '../model/key.ts';
import type { KindId } from '../model/kind.ts';
import { bodyOf, DEFINITIONS, KINDS, NAMESPACES, type ObjectState, type SimKind, WIDGETS, WIDGETS_DEFINITION } from './kinds.ts';

/** One change of one object. For a deletion `state` is its last state at the revision of the deletion. */
export interface ChangeEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly state: ObjectState;
  /** What was there before; null when nothing was. */
  readonly before: ObjectState | null;
  /** Nothing but what a rule ignores has changed. */
  readonly isQuiet: boolean;
}

export class KindTruth {
  objects = new Map<ObjectKey, ObjectState>();
  /** Every change of the present history, in order. */
  log: ChangeEvent[] = [];
  /** A watch from an earlier revision gets a 410. */
  oldest: number;

  constructor(revision: number) {
    this.oldest = revision;
  }

  /** The index in the log of the first change after `revision`. */
  after(revision: number): number {
    let low = 0;
    let high = this.log.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.log[middle]?.state.revision ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The objects as they were `changes` changes ago, and the revision of that moment; null when nobody remembers. */
  past(changes: number): { readonly objects: Map<ObjectKey, ObjectState>; readonly revision: number } | null {
    const first = this.log.length - changes;
    const at = this.log[first - 1];
    if (changes <= 0 || at === undefined) return null;
    const objects = new Map(this.objects);
    for (let index = this.log.length - 1; index >= first; index--) {
      const { state, before } = this.log[index] as ChangeEvent;
      if (before === null) objects.delete(state.key);
      else objects.set(state.key, before);
    }
    return { objects, revision: at.state.revision };
  }
}

interface Backup {
  readonly revision: number;
  readonly kinds: ReadonlyMap<KindId, ReadonlyMap<ObjectKey, ObjectState>>;
}

export interface PutOptions {
  readonly isQuiet?: boolean;
  readonly isPoison?: boolean;
  readonly pad?: number;
}

/** A back-up is followed by so many revisions of others, so that what a restored history says can be told from what was lost by its revision. */
const BEYOND_BACKUP = 1_000_000;
const FIRST_REVISION = 9_999_400;

/** What the cluster is: the model that everything else is compared with. One etcd, so one counter of revisions. */
export class Truth {
  readonly kinds: ReadonlyMap<KindId, KindTruth>;
  readonly onChange: (event: ChangeEvent) => void;
  revision = FIRST_REVISION;
  /** Rises when the cluster is wiped or restored. */
  history = 0;
  /** Changes up to here belong to the present history, also when made in an earlier one. */
  forkedAt = 0;
  /** Where the present cluster began; a restored one began where the other did. */
  begunAt = 0;
  identity = 'cluster-0';
  /** Changes of objects ever made. */
  mutations = 0;
  /** By `uid@revision`: everything the cluster ever said. */
  readonly said = new Map<string, ObjectState>();
  /** Deleted objects that a restored back-up brought back to life. */
  readonly revived = new Set<string>();
  #highest = FIRST_REVISION;
  #serials = 0;
  #uids = 0;
  #contents = 0;
  #backup: Backup | null = null;

  constructor(onChange: (event: ChangeEvent) => void) {
    this.onChange = onChange;
    this.kinds = new Map(KINDS.map(({ id }) => [id, new KindTruth(this.revision)]));
  }

  of(kind: SimKind): KindTruth {
    return this.kinds.get(kind.id) as KindTruth;
  }

  /** Whether there are widgets. */
  get isDefined(): boolean {
    return this.of(DEFINITIONS).objects.has(WIDGETS_DEFINITION as ObjectKey);
  }

  /** Whether a state is part of the present history. */
  isPresent({ history, revision }: ObjectState): boolean {
    return history === this.history || revision <= this.forkedAt;
  }

  isAlive(kind: SimKind, key: ObjectKey, uid: string): boolean {
    return this.of(kind).objects.get(key)?.uid === uid;
  }

  put(kind: SimKind, namespace: string, name: string, { isQuiet = false, isPoison = false, pad = 20 }: PutOptions = {}): void {
    if (kind === WIDGETS && !this.isDefined) return;
    if (namespace !== '' && !this.of(NAMESPACES).objects.has(namespace as ObjectKey)) this.put(NAMESPACES, '', namespace);
    const key = objectKey(namespace, name);
    const before = this.of(kind).objects.get(key) ?? null;
    const keepsContent = isQuiet && kind.isQuiet && before !== null;
    const fields = {
      kind,
      namespace,
      name,
      uid: before?.uid ?? `uid-${++this.#uids}`,
      revision: this.#next(),
      serial: ++this.#serials,
      content: keepsContent ? before.content : ++this.#contents,
    };
    const state: ObjectState = { ...fields, key, history: this.history, isPoison, body: bodyOf(fields, pad) };
    this.of(kind).objects.set(key, state);
    this.#happen({ type: before === null ? 'ADDED' : 'MODIFIED', state, before, isQuiet: keepsContent });
  }

  remove(kind: SimKind, key: ObjectKey): void {
    const before = this.of(kind).objects.get(key);
    if (before === undefined) return;
    if (kind === DEFINITIONS) for (const widget of [...this.of(WIDGETS).objects.keys()]) this.remove(WIDGETS, widget);
    if (kind === NAMESPACES) this.#empty(before.name);
    this.of(kind).objects.delete(key);
    const fields = { ...before, revision: this.#next(), serial: ++this.#serials, history: this.history };
    this.#happen({ type: 'DELETED', state: { ...fields, body: bodyOf(fields, 0) }, before, isQuiet: false });
  }

  /** Other kinds were written: the revision moves and nothing else. */
  tick(revisions: number): void {
    this.revision += revisions;
    this.#highest = Math.max(this.#highest, this.revision);
  }

  compact(kind: SimKind): void {
    this.of(kind).oldest = this.revision;
  }

  backUp(): void {
    this.#backup = { revision: this.revision, kinds: new Map([...this.kinds].map(([id, { objects }]) => [id, new Map(objects)])) };
    this.revision = this.#highest;
    this.tick(BEYOND_BACKUP);
  }

  /** The cluster is again what it was at the last back-up, and goes on from there. Returns whether there is one. */
  restore(): boolean {
    const backup = this.#backup;
    if (backup === null) return false;
    this.#backup = null;
    this.history++;
    this.revision = backup.revision;
    this.forkedAt = backup.revision;
    for (const [id, truth] of this.kinds) {
      const objects = new Map(backup.kinds.get(id));
      for (const { key, uid } of objects.values()) if (truth.objects.get(key)?.uid !== uid) this.revived.add(uid);
      truth.objects = objects;
      truth.log = truth.log.slice(0, truth.after(backup.revision));
      truth.oldest = Math.min(truth.oldest, backup.revision);
    }
    return true;
  }

  /** Another, empty cluster stands where the old one was; `ahead` says that its revisions are higher than any that was heard of before. */
  wipe(ahead: boolean): void {
    this.#backup = null;
    this.history++;
    this.revision = ahead ? this.#highest + BEYOND_BACKUP : 100 * this.history;
    this.#highest = Math.max(this.#highest, this.revision);
    this.begunAt = this.revision;
    this.forkedAt = 0;
    this.identity = `cluster-${this.history}`;
    for (const truth of this.kinds.values()) {
      truth.objects = new Map();
      truth.log = [];
      // Nothing of the new history was compacted yet: a watch from a revision of the old one is served.
      truth.oldest = ahead ? 0 : this.revision;
    }
  }

  #empty(namespace: string): void {
    for (const kind of KINDS) {
      if (!kind.kind.namespaced) continue;
      for (const [key, state] of [...this.of(kind).objects]) if (state.namespace === namespace) this.remove(kind, key);
    }
  }

  #happen(event: ChangeEvent): void {
    this.mutations++;
    this.of(event.state.kind).log.push(event);
    if (event.type !== 'DELETED') this.said.set(`${event.state.uid}@${event.state.revision}`, event.state);
    this.onChange(event);
  }

  #next(): number {
    this.tick(1);
    return this.revision;
  }
}
