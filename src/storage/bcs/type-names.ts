import { type Kind, type KindId, kindId } from '../../model/kind.ts';

/** A kind under the name that the service stores it by. */
export interface NamedKind {
  readonly kind: Kind;
  /** `Pod`; `Cluster.other.example.com` for the second kind of that name. */
  readonly type: string;
}

/**
 * What the service calls each kind. It knows the name of a Kind alone, so two kinds of that name in two groups would overwrite each other's documents: the
 * first that is stored has the bare name, as ever, and every other the name with its group. Names that were given are on record and stay.
 */
export class TypeNames {
  /** As discovery told them last, or as they are on record. */
  readonly #kinds = new Map<KindId, Kind>();
  readonly #types = new Map<KindId, string>();
  readonly #owners = new Map<string, KindId>();

  learn(kinds: readonly Kind[]): void {
    for (const kind of kinds) this.#kinds.set(kindId(kind), kind);
  }

  /** What an earlier process recorded. */
  record({ kind, type }: NamedKind): void {
    const id = kindId(kind);
    if (!this.#kinds.has(id)) this.#kinds.set(id, kind);
    this.#types.set(id, type);
    this.#owners.set(type, id);
  }

  /** Names a kind that is about to be stored. */
  name(kind: Kind): NamedKind {
    const id = kindId(kind);
    this.#kinds.set(id, kind);
    const known = this.#types.get(id);
    if (known !== undefined) return { kind, type: known };
    const type = this.#owners.has(kind.kind) ? `${kind.kind}.${kind.group === '' ? 'core' : kind.group}` : kind.kind;
    this.record({ kind, type });
    return { kind, type };
  }

  /** The kind of an id, named; null when nobody has told what it is. */
  find(id: KindId): NamedKind | null {
    const kind = this.#kinds.get(id);
    return kind === undefined ? null : this.name(kind);
  }

  /** Every kind that was told of. */
  known(): IterableIterator<Kind> {
    return this.#kinds.values();
  }

  /** Whether a kind is stored under this name, by what is on record or was named since. */
  isGiven(type: string): boolean {
    return this.#owners.has(type);
  }

  /** Whether the kind has to share the bare name of its Kind with another. */
  isAlias(id: KindId): boolean {
    const type = this.#types.get(id);
    return type !== undefined && type !== this.#kinds.get(id)?.kind;
  }
}
