import type { ObjectKey } from '../model/key.ts';
import type { KindId } from '../model/kind.ts';
import type { Truth } from './truth.ts';

/** The fence of every simulated configuration, low enough for small worlds to meet it. */
export const FENCE = { maxDeleteShare: 0.3, minObjects: 5, confirmAfterSeconds: null } as const;

/** A complete list, or a moment at which rows of a kind nobody follows may go: what was not in it may be deleted, up to the share of the fence. */
interface Pass {
  readonly allowed: number;
  deleted: number;
}

interface Hearsay {
  /** The newest revision it was told of. */
  revision: number;
  /** The first complete list since then that it was not in, as an index of passes. */
  absentSince: number | null;
  /** As of before it was told to exist once more: a delete of then may still be on its way. */
  absentBefore: number | null;
  /** A watch brought its deletion, or a person confirmed it. */
  isExcused: boolean;
  /** Its deletion was told, and may not have been heard or believed. */
  isDoubtful: boolean;
  /** A pass answers for its delete. */
  isCharged: boolean;
}

/**
 * What one kind of one process was told, byte for byte, since it began: what it can know of, and by which complete list it can have concluded what.
 * Where several conclusions are possible the one most in its favour counts, so what breaks the fence here breaks it in every reading.
 */
export class KindHearsay {
  readonly #parts: ToldParts;
  readonly #id: KindId;
  readonly #keys = new Map<ObjectKey, Hearsay>();
  /** Believed to exist, or held. Never fewer than the mirror knows. */
  readonly #known = new Set<ObjectKey>();
  readonly #passes: Pass[] = [];
  #hasBeenEmpty = false;
  /** Rows of the former leader that are being met; null where a process begins on the rows. */
  #rows: Map<ObjectKey, number> | null = null;

  constructor(id: KindId, parts: ToldParts) {
    this.#id = id;
    this.#parts = parts;
  }

  /** A process that stood by takes over: it is about to meet the rows. */
  meets(): void {
    this.#rows = new Map();
  }

  /** Storage said so. */
  row(key: ObjectKey, revision: number): void {
    if (this.#rows === null) this.exists(key, revision);
    else this.#rows.set(key, revision);
  }

  /** All rows were met: of what it was not told that it is there, it may conclude that it is gone, in one pass. */
  allMet(): void {
    if (this.#rows === null) return;
    const believed = new Set([...this.#known].filter((key) => this.#isBelieved(key)));
    for (const [key, revision] of this.#rows) {
      const known = this.#keys.get(key);
      this.#known.add(key);
      // It was told of the deletion itself, and the row is still there.
      if (known?.isExcused === true) known.isDoubtful = true;
      else this.exists(key, revision);
    }
    this.#rows = null;
    this.#pass(believed, share(this.#known.size));
  }

  exists(key: ObjectKey, revision: number): void {
    const known = this.#keys.get(key);
    this.#known.add(key);
    if (known === undefined) {
      this.#keys.set(key, { revision, absentSince: null, absentBefore: null, isExcused: false, isDoubtful: false, isCharged: false });
      return;
    }
    known.revision = Math.max(known.revision, revision);
    known.absentBefore = known.absentSince ?? known.absentBefore;
    known.absentSince = null;
    known.isDoubtful = false;
  }

  deleted(key: ObjectKey, revision: number, isSure: boolean): void {
    const known = this.#keys.get(key);
    if (known === undefined) return;
    known.isExcused = true;
    // An older deletion is not believed, and after a history that went back nobody can say here which one is older.
    if (isSure && revision >= known.revision && this.#parts.truth.history === 0) this.#known.delete(key);
    else known.isDoubtful = true;
  }

  /** Whether it knows of an object that no list has denied. */
  get hasObjects(): boolean {
    for (const key of this.#known) if (this.#isBelieved(key)) return true;
    return false;
  }

  #isBelieved(key: ObjectKey): boolean {
    const known = this.#keys.get(key);
    return known?.absentSince === null && !known.isDoubtful;
  }

  /** A complete list of these. Returns whether it may be believed when it is empty: the first one in a row never is. */
  listed(keys: ReadonlySet<ObjectKey>): boolean {
    const { truth, hasStoodBy } = this.#parts;
    const isDoubted = keys.size === 0 && !this.#hasBeenEmpty && !hasStoodBy && this.hasObjects && truth.history === 0;
    if (keys.size === 0) this.#hasBeenEmpty = true;
    this.#pass(keys, isDoubted ? 0 : share(this.#known.size));
    return !isDoubted;
  }

  /** Nobody follows the kind any more, perhaps. */
  abandoned(): void {
    this.#pass(new Set(), share(this.#known.size));
  }

  #pass(keys: ReadonlySet<ObjectKey>, allowed: number): void {
    const pass = this.#passes.push({ allowed, deleted: 0 }) - 1;
    for (const key of this.#known) {
      const known = this.#keys.get(key);
      if (known === undefined || keys.has(key) || known.absentSince !== null || known.isDoubtful) continue;
      Object.assign(known, { absentSince: pass, isExcused: false, isCharged: false });
    }
  }

  confirmed(keys: readonly ObjectKey[]): void {
    for (const key of keys) {
      const known = this.#keys.get(key);
      if (known !== undefined) known.isExcused = true;
    }
  }

  /** Invariant 13. The mirror hands in a delete of the key. */
  deletes(key: ObjectKey): void {
    const known = this.#keys.get(key);
    if (known === undefined) return;
    this.#known.delete(key);
    const since = known.absentSince ?? known.absentBefore;
    if (known.isExcused || known.isCharged || since === null) return;
    known.isCharged = true;
    // A later pass takes over what an earlier one held. The earliest with room is best: no delete to come can look back further and not as far ahead.
    const pass = this.#passes.find(({ allowed, deleted }, index) => index >= since && deleted < allowed);
    if (pass !== undefined) {
      pass.deleted++;
      return;
    }
    const last = this.#passes.at(-1);
    this.#parts.fail(
      `13: ${this.#id} ${key} is deleted because a list did not contain it, the ${(last?.deleted ?? 0) + 1}th where the fence allows ${last?.allowed}, and nobody confirmed it`,
    );
  }
}

/** How many of so many known rows one pass may delete. */
function share(known: number): number {
  // 0.3 times a whole number may come out a little too small.
  return Math.max(FENCE.minObjects - 1, Math.floor(FENCE.maxDeleteShare * known + 1e-9));
}

interface ToldParts {
  readonly truth: Truth;
  /** It began beside one that wrote: what of all that it was told it goes on with when it takes over, cannot be known from outside. */
  readonly hasStoodBy: boolean;
  readonly fail: (message: string) => void;
}

/** What one process was told, and what follows from it for its deletes. It believes nothing that the mirror says of itself. */
export class Told {
  readonly #parts: ToldParts;
  readonly #kinds = new Map<KindId, KindHearsay>();
  isLeading: boolean;

  constructor(parts: ToldParts) {
    this.#parts = parts;
    this.isLeading = !parts.hasStoodBy;
  }

  get hasStoodBy(): boolean {
    return this.#parts.hasStoodBy;
  }

  /** The mirror of one kind begins. */
  begin(id: KindId): KindHearsay {
    const kind = new KindHearsay(id, this.#parts);
    this.#kinds.set(id, kind);
    return kind;
  }

  /** The mirror of one kind asks for its rows. */
  beginOrMeet(id: KindId): KindHearsay {
    if (!this.hasStoodBy) return this.begin(id);
    const kind = this.of(id);
    kind.meets();
    return kind;
  }

  of(id: KindId): KindHearsay {
    return this.#kinds.get(id) ?? this.begin(id);
  }
}
