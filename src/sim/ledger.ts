import type { ObjectKey } from '../model/key.ts';
import { namespaceOf } from '../model/key.ts';
import { type KindId, kindId } from '../model/kind.ts';
import type { Outcome } from '../model/outcome.ts';
import type { Delete, Put, ScopeRecord, Write } from '../storage/storage.ts';
import { DEFINITIONS, KINDS, maskedBody, MAPS, type ObjectState, type SimKind, WIDGETS } from './kinds.ts';
import type { ChangeEvent, Truth } from './truth.ts';

/** A change that no row, and no absence of one, reflects yet. */
interface OpenChange {
  readonly revision: number;
  readonly content: number;
  readonly isQuiet: boolean;
}

interface Row {
  readonly state: ObjectState;
  readonly isMasked: boolean;
}

/** The durable side of one key. */
interface KeyBook {
  /** Changes up to here are reflected. */
  covered: number;
  /** The newest deletion in the present history; 0 for none. */
  lastDeleted: number;
  /** The uid that storage was told to delete as of the highest revision, and that revision. */
  buried: string | null;
  buriedAt: string | null;
  /** The history in which it was. */
  buriedIn: number;
  /** The newest state that storage refused. */
  refusedAt: number;
  /** Oldest first. */
  open: OpenChange[];
}

class KindBook {
  readonly rows = new Map<ObjectKey, Row>();
  readonly keys = new Map<ObjectKey, KeyBook>();
  /** Keys with open changes. */
  readonly dirty = new Set<ObjectKey>();

  of(key: ObjectKey): KeyBook {
    let book = this.keys.get(key);
    if (book === undefined) {
      book = { covered: 0, lastDeleted: 0, buried: null, buriedAt: null, buriedIn: 0, refusedAt: 0, open: [] };
      this.keys.set(key, book);
    }
    return book;
  }
}

/** What the rules of now want of the copy. */
export interface Wanted {
  /** Objects of MAPS in this namespace are left out; null leaves none out. */
  readonly excluded: string | null;
  readonly isMasked: boolean;
}

const BY_ID = new Map(KINDS.map((kind) => [kind.id, kind]));
const MOST_DIFFERENCES = 5;
const RETURN_MS = 120_000;
/**
 * Keeps the books of what is durable beside what is true, and holds every commit against the invariants of SPEC.md. It believes nothing that the
 * pipeline says of itself: it sees writes with their outcomes, scope records, and the truth.
 */
export class Ledger {
  readonly #truth: Truth;
  readonly #now: () => number;
  #definedAtMs = Number.NEGATIVE_INFINITY;
  readonly #kinds = new Map<KindId, KindBook>(KINDS.map(({ id }) => [id, new KindBook()]));
  /** The namespace that rules left out at any time: what is selected there, and since when, is not followed. */
  #doubtful: string | null = null;
  /** Kinds of which a process believed that there was nothing, until all that there is has been told and is durable. */
  readonly #misled = new Map<KindId, 'lied to' | 'told the truth'>();
  /** When the first complete list of the present history was told. */
  readonly #listedAtMs = new Map<KindId, number>();
  /** The first invariant that broke; null while all hold. */
  violation: string | null = null;
  /** Rows that were put or deleted. */
  changedRows = 0;
  /** Those of kinds of which every change counts. */
  changedLoudly = 0;

  constructor(truth: Truth, now: () => number) {
    this.#truth = truth;
    this.#now = now;
  }

  fail(message: string): void {
    this.violation ??= message;
  }

  rulesChange(namespace: string): void {
    this.#doubtful = namespace;
  }

  /** What a process was told of a kind by a complete list. */
  listed(id: KindId, was: 'true' | 'a lie'): void {
    if (was === 'true' && !this.#listedAtMs.has(id)) this.#listedAtMs.set(id, this.#now());
    if (was === 'a lie') this.#misled.set(id, 'lied to');
    else if (this.#misled.has(id)) this.#misled.set(id, 'told the truth');
  }

  /** Kinds that wait for a list. */
  get misled(): readonly KindId[] {
    return [...this.#misled].flatMap(([id, was]) => (was === 'lied to' ? id : []));
  }

  /** The truth has changed. */
  changed({ type, state, isQuiet }: ChangeEvent): void {
    if (state.kind === DEFINITIONS && type === 'ADDED') this.#definedAtMs = this.#now();
    const kind = this.#of(state.kind.id);
    const book = kind.of(state.key);
    if (type === 'DELETED') book.lastDeleted = state.revision;
    const row = kind.rows.get(state.key);
    const isReflected = type === 'DELETED' ? row === undefined : isQuiet && book.open.length === 0 && row?.state.uid === state.uid;
    if (isReflected) {
      book.covered = state.revision;
      book.open = [];
      kind.dirty.delete(state.key);
      return;
    }
    book.open.push({ revision: state.revision, content: state.content, isQuiet });
    kind.dirty.add(state.key);
  }

  /** Another history: what rows reflect of it is what both share. */
  historyChanged(): void {
    this.#listedAtMs.clear();
    for (const [id, kind] of this.#kinds) {
      for (const book of kind.keys.values()) {
        book.covered = Math.min(book.covered, this.#truth.forkedAt);
        book.lastDeleted = 0;
        book.open = [];
      }
      for (const event of this.#truth.kinds.get(id)?.log ?? []) {
        const book = kind.of(event.state.key);
        if (event.type === 'DELETED') book.lastDeleted = event.state.revision;
        if (event.state.revision > book.covered) book.open.push({ ...event, revision: event.state.revision, content: event.state.content });
      }
      for (const [key, book] of kind.keys) this.#cover(kind, key, book, book.covered, kind.rows.get(key)?.state ?? null);
    }
  }

  /** Whether storage will refuse the object of this put for ever. */
  isPoison({ meta }: Put): boolean {
    return this.#truth.said.get(`${meta.uid}@${meta.revision}`)?.isPoison === true;
  }

  /**
   * Whether a write is beyond what the guards of today's engines can order when it comes late; SPEC.md lists the cases with their reasons. Kinds that
   * come and go begin anew meanwhile, and know nothing of it.
   */
  isBeyondOrder(write: Write): boolean {
    const id = kindId(write.kind);
    if (write.type === 'delete') {
      const alive = this.#truth.kinds.get(id)?.objects.get(write.key);
      // Concluded from lists that were empty and should not have been, and the same state was written again since.
      const isAliveAsNamed = alive?.uid === write.uid && alive.revision <= Number(write.revision);
      return write.revision === null || id === WIDGETS.id || isAliveAsNamed;
    }
    const { uid, revision, key } = write.meta;
    const state = this.#truth.said.get(`${uid}@${revision}`);
    const { buried, buriedAt, refusedAt } = this.#of(id).of(key);
    if (id === WIDGETS.id || write.force === true || state === undefined || state.isPoison || !this.#truth.isPresent(state)) return true;
    if (state.revision < refusedAt) return true;
    return (
      buried !== null && (buried === uid ? buriedAt === null || state.revision >= Number(buriedAt) : buriedAt === null || state.revision <= Number(buriedAt))
    );
  }

  committed(write: Write, outcome: Outcome): void {
    if (write.type === 'put') this.#put(write, outcome);
    else if (outcome.kind === 'written' || outcome.kind === 'unchanged') this.#deleted(write);
  }

  /** Invariant 4. `atMs`: when it was handed in. */
  recorded(record: ScopeRecord, atMs: number): void {
    if (record.retired === true || record.watermark === null) return;
    const watermark = Number(record.watermark);
    const { revision, begunAt, revived } = this.#truth;
    // Of the cluster before this one, whatever its revision.
    if (watermark < begunAt) return;
    if (watermark > revision) {
      // Of a history that is over, perhaps; nobody may have noticed yet.
      if (this.#truth.history === 0) this.fail(`4: ${record.kind} has the watermark ${watermark}, but the cluster is at ${revision}`);
      return;
    }
    const kind = this.#kinds.get(record.kind);
    if (kind === undefined) return;
    for (const key of kind.dirty) {
      const first = kind.keys.get(key)?.open[0];
      if (first === undefined || first.revision > watermark || this.#isDoubtful(record.kind, key)) continue;
      if (record.scope !== '' && namespaceOf(key) !== record.scope) continue;
      if (this.#misled.has(record.kind)) return;
      // Nobody knew then that the history went back, and what came back with it was deleted in the other one.
      const alive = this.#truth.kinds.get(record.kind)?.objects.get(key);
      if (alive !== undefined && revived.has(alive.uid) && atMs <= (this.#listedAtMs.get(record.kind) ?? Number.POSITIVE_INFINITY)) continue;
      this.fail(`4: ${record.kind} has the watermark ${watermark}, but ${key}@${first.revision} is not durable: the row is ${this.#shown(kind, key)}`);
      return;
    }
    if (this.#misled.get(record.kind) === 'told the truth') this.#misled.delete(record.kind);
  }

  /** What storage holds of a key, for messages. */
  #shown(kind: KindBook, key: ObjectKey): string {
    const row = kind.rows.get(key);
    return row === undefined ? 'not there' : `${row.state.uid}@${row.state.revision}`;
  }

  #put({ kind: { group, resource }, meta, body, force }: Put, outcome: Outcome): void {
    const id = kindId({ group, resource });
    const kind = this.#of(id);
    const { key } = meta;
    const state = this.#truth.said.get(`${meta.uid}@${meta.revision}`);
    if (state === undefined || state.key !== key || state.kind.id !== id) {
      this.fail(`7: ${id} ${key} was to be written as ${meta.uid}@${meta.revision}, which the cluster never said`);
      return;
    }
    const book = kind.of(key);
    if (outcome.kind === 'rejected') {
      if (!state.isPoison) this.fail(`7: ${id} ${key}@${meta.revision} was refused though nothing is wrong with it: ${outcome.error}`);
      if (!this.#truth.isPresent(state)) return;
      book.refusedAt = state.revision;
      this.#cover(kind, key, book, Math.max(book.covered, state.revision), null);
      return;
    }
    if (outcome.kind !== 'written') return;
    this.changedRows++;
    if (!state.kind.isQuiet) this.changedLoudly++;
    const isMasked = this.#bodyForm(state, body);
    if (isMasked === null) return;
    const before = kind.rows.get(key)?.state ?? null;
    if (this.#truth.isPresent(state)) {
      if (before !== null && this.#truth.isPresent(before) && state.revision < before.revision)
        this.fail(`2: ${id} ${key}@${state.revision} was written over ${before.uid}@${before.revision}, which is newer${force === true ? ' (forced)' : ''}`);
      if (
        before === null &&
        book.buried === state.uid &&
        book.buriedIn === this.#truth.history &&
        state.revision < Number(book.buriedAt ?? 0) &&
        !this.#truth.isAlive(state.kind, key, state.uid) &&
        !this.#isDoubtful(id, key)
      )
        this.fail(`2: ${id} ${key} ${state.uid}@${state.revision} was written after its deletion was durable`);
    } else if (before !== null && before.history === this.#truth.history) {
      this.fail(`2: ${id} ${key} of a history that is over was written over ${before.uid}@${before.revision} of the present one`);
    }
    kind.rows.set(key, { state, isMasked });
    // Absence reflected the deletion of an object that was never stored; now it is, and the deletion is still to come.
    if (this.#truth.isPresent(state) && state.revision < book.covered) this.#reopen(id, kind, key, book, state.revision);
    this.#cover(kind, key, book, this.#truth.isPresent(state) ? state.revision : Math.min(book.covered, this.#truth.forkedAt), state);
  }

  /** Whether the body is masked; null when it is not the body of the state at all. */
  #bodyForm(state: ObjectState, body: Uint8Array): boolean | null {
    const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1');
    if (text === state.body) return false;
    if (state.kind === WIDGETS && text === maskedBody(state)) return true;
    this.fail(`7: ${state.kind.id} ${state.key}@${state.revision} was written with a body that the cluster never said: ${text.slice(0, 200)}`);
    return null;
  }

  #deleted({ kind: { group, resource }, key, uid, revision }: Delete): void {
    const id = kindId({ group, resource });
    const kind = this.#of(id);
    const book = kind.of(key);
    if (book.buriedAt === null || revision === null || Number(revision) >= Number(book.buriedAt)) {
      book.buried = uid;
      book.buriedAt = revision;
      book.buriedIn = this.#truth.history;
    }
    const row = kind.rows.get(key);
    if (row === undefined) return this.#cover(kind, key, book, Math.max(book.covered, book.lastDeleted), null);
    this.changedRows++;
    if (!row.state.kind.isQuiet) this.changedLoudly++;
    if (row.state.uid !== uid) this.fail(`3: the deletion of ${id} ${key} named ${uid} and removed the row of ${row.state.uid}`);
    const isAlive = this.#truth.isAlive(row.state.kind, key, row.state.uid);
    // A kind that was gone and is back is still being taken away for a moment: discovery lags behind.
    const isReturning = id === WIDGETS.id && this.#now() - this.#definedAtMs < RETURN_MS;
    const isExcused = isReturning || this.#misled.has(id) || this.#truth.revived.has(row.state.uid) || this.#isDoubtful(id, key);
    if (isAlive && !isExcused) this.fail(`3: ${id} ${key} was deleted although ${row.state.uid} is alive`);
    kind.rows.delete(key);
    if (!isAlive) return this.#cover(kind, key, book, Math.max(book.lastDeleted, Math.min(book.covered, this.#truth.forkedAt)), null);
    this.#reopen(id, kind, key, book, book.lastDeleted);
  }

  /** The durable side of a key fell back to `revision`. */
  #reopen(id: KindId, kind: KindBook, key: ObjectKey, book: KeyBook, revision: number): void {
    book.covered = revision;
    book.open = (this.#truth.kinds.get(id)?.log ?? [])
      .filter((event) => event.state.key === key && event.state.revision > revision)
      .map((event) => ({ revision: event.state.revision, content: event.state.content, isQuiet: event.isQuiet }));
    this.#note(kind, key, book);
  }

  #cover(kind: KindBook, key: ObjectKey, book: KeyBook, revision: number, row: ObjectState | null): void {
    book.covered = revision;
    let done = 0;
    for (const { revision: open, isQuiet, content } of book.open) {
      if (open > revision && !(isQuiet && row !== null && content === row.content)) break;
      done++;
    }
    if (done > 0) book.open.splice(0, done);
    this.#note(kind, key, book);
  }

  #note(kind: KindBook, key: ObjectKey, book: KeyBook): void {
    if (book.open.length > 0) kind.dirty.add(key);
    else kind.dirty.delete(key);
  }

  /** Every difference between rows and truth, the first few as sentences. */
  differences(wanted: Wanted): string[] {
    const found: string[] = [];
    for (const kind of KINDS) {
      const { rows } = this.#of(kind.id);
      const objects = this.#truth.of(kind).objects;
      let matched = 0;
      for (const [key, state] of objects) {
        if (found.length >= MOST_DIFFERENCES) return found;
        if (isLeftOut(kind, state, wanted)) continue;
        const row = rows.get(key);
        if (row !== undefined) matched++;
        // The row of an older state stays while storage refuses the newest one.
        if (state.isPoison) {
          if (this.#of(kind.id).of(key).open.length > 0) found.push(`${kind.id} ${key} is not refused yet`);
          continue;
        }
        if (row === undefined) found.push(`${kind.id} ${key} is missing, the cluster has ${state.uid}@${state.revision}`);
        else if (!isSame(row.state, state))
          found.push(`${kind.id} ${key} is ${row.state.uid}@${row.state.revision}, the cluster has ${state.uid}@${state.revision}`);
        else if (kind === WIDGETS && row.isMasked !== wanted.isMasked) found.push(`${kind.id} ${key} is ${row.isMasked ? '' : 'not '}masked`);
      }
      if (matched === rows.size) continue;
      for (const [key, row] of rows) {
        const state = objects.get(key);
        if (state === undefined || isLeftOut(kind, state, wanted)) found.push(`${kind.id} ${key} is left over as ${row.state.uid}@${row.state.revision}`);
      }
    }
    return found.slice(0, MOST_DIFFERENCES);
  }

  /** What storage should say when it is asked for its rows, as `key uid revision`; to hold the engine's word against. */
  rowsOf(kind: SimKind): readonly string[] {
    return [...this.#of(kind.id).rows].map(([key, { state }]) => `${key} ${state.uid} ${state.revision}`).sort();
  }

  /** Objects that storage will not take as they are, as `kind key uid revision`. */
  poisoned(wanted: Wanted): readonly string[] {
    return KINDS.flatMap((kind) => [...this.#truth.of(kind).objects.values()].filter((state) => state.isPoison && !isLeftOut(kind, state, wanted)))
      .map(({ kind, key, uid, revision }) => `${kind.id} ${key} ${uid} ${revision}`)
      .sort();
  }

  /** Whether storage, asked to store this state, would know better once the object is gone. */
  isRemembered({ kind, key, uid, revision }: ObjectState): boolean {
    const book = this.#of(kind.id);
    const { buried, buriedAt } = book.of(key);
    // Concluded from absence, a deletion has the revision of the last state, and does not refuse that.
    return this.#truth.isAlive(kind, key, uid) || book.rows.get(key)?.state.uid === uid || (buried === uid && Number(buriedAt ?? 0) > revision);
  }

  /** Whether a row should not be there. */
  isGone(id: KindId, key: ObjectKey, wanted: Wanted): boolean {
    const state = this.#truth.kinds.get(id)?.objects.get(key);
    return state === undefined || isLeftOut(state.kind, state, wanted);
  }

  #isDoubtful(id: KindId, key: ObjectKey): boolean {
    return this.#doubtful !== null && id === MAPS.id && namespaceOf(key) === this.#doubtful;
  }

  #of(id: KindId): KindBook {
    const book = this.#kinds.get(id);
    if (book === undefined || !BY_ID.has(id)) throw new Error(`Cannot keep books of ${id}: src/sim/kinds.ts has no such kind`);
    return book;
  }
}

function isLeftOut(kind: SimKind, { namespace }: ObjectState, { excluded }: Wanted): boolean {
  return kind === MAPS && namespace === excluded;
}

/** Equal up to what a rule ignores. */
function isSame(row: ObjectState, state: ObjectState): boolean {
  return row.uid === state.uid && (row.revision === state.revision || (state.kind.isQuiet && row.content === state.content));
}
