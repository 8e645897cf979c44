import { type KindId, kindId, splitKindId } from '../model/kind.ts';
import type { ObjectKey } from '../model/key.ts';
import { namespaceOf } from '../model/key.ts';
import type { StorageReader, StoredObject } from '../storage/storage.ts';
import { BUILTIN_KINDS, type ReadableKind } from './builtin-kinds.ts';
import { builtinColumns } from './columns.ts';
import { type CustomKind, customKindOf, versionOf } from './custom.ts';
import { findKind, unknownKind } from './kind-names.ts';
import type { Column } from './table.ts';
import type { Tree } from './tree.ts';

const CRDS: KindId = 'customresourcedefinitions.apiextensions.k8s.io';
/** Rows of one read: each is a short transaction of its own, so a long answer does not keep the writer's log from being reset. */
const PAGE_ROWS = 500;
/** Definitions are large, up to a megabyte. */
const PAGE_DEFINITIONS = 50;

/** All rows of a kind, in the order of their keys, page by page. Ends early when the signal aborts: with its reason, as an error. */
export async function* storedRows(options: {
  readonly reader: StorageReader;
  readonly cluster: string;
  readonly kind: KindId;
  /** Null for all namespaces, and for cluster-scoped kinds. */
  readonly namespace: string | null;
  readonly limit?: number;
  readonly signal?: AbortSignal;
}): AsyncGenerator<StoredObject, void> {
  const { reader, cluster, kind, namespace, limit = PAGE_ROWS, signal } = options;
  let after: ObjectKey | undefined;
  for (;;) {
    signal?.throwIfAborted();
    const page = await reader.list({ cluster, kind, namespace: namespace ?? undefined, after, limit });
    yield* page;
    after = page.at(-1)?.key;
    if (page.length < limit || after === undefined) return;
  }
}

/** A row's body as an object. Throws an Error that quotes nothing of it. */
export function parsedBody(row: StoredObject): Tree {
  try {
    return JSON.parse(textOf(row)) as Tree;
  } catch {
    throw new Error(
      `The stored body of ${row.kind} ${row.key} is not JSON (${row.body.byteLength} bytes). Let the mirror write it again, or restore the database`,
    );
  }
}

export function textOf(row: StoredObject): string {
  return Buffer.from(row.body.buffer, row.body.byteOffset, row.body.byteLength).toString('utf8');
}

/** The kinds of one stored cluster: what is mirrored, what names mean, how objects are shown. What is read is kept: for one answer. */
export class Catalog {
  readonly #reader: StorageReader;
  readonly #cluster: string;
  /** Kinds that have rows or a scope record. */
  readonly stored: readonly KindId[];
  #custom: readonly (CustomKind | ReadableKind)[] | null = null;

  private constructor(reader: StorageReader, cluster: string, stored: readonly KindId[]) {
    this.#reader = reader;
    this.#cluster = cluster;
    this.stored = stored;
  }

  static async open(reader: StorageReader, cluster: string): Promise<Catalog> {
    return new Catalog(reader, cluster, await reader.kinds(cluster));
  }

  /** The kinds that a name means: one, or for a category (`all`) every stored one of it. Throws UsageError. */
  async resolve(text: string): Promise<readonly ReadableKind[]> {
    const builtin = findKind(text, BUILTIN_KINDS, this.stored);
    if (builtin !== null) return [builtin];
    const others = await this.#others();
    const other = findKind(text, others, this.stored);
    if (other !== null) return [other];
    const all = [...BUILTIN_KINDS, ...others];
    const category = all.filter((kind) => kind.categories.includes(text.toLowerCase()) && this.stored.includes(kindId(kind)));
    if (category.length > 0) return category;
    throw unknownKind(text, all, this.stored);
  }

  /** `apiVersion` is that of the objects to be shown, null when there are none. */
  columns(kind: ReadableKind, apiVersion: string | null): readonly Column[] {
    return ('versions' in kind ? versionOf(kind as CustomKind, apiVersion)?.columns : undefined) ?? builtinColumns(kindId(kind));
  }

  /** What field selectors may name of a custom kind. */
  fields(kind: ReadableKind): readonly string[] {
    return 'versions' in kind ? (kind as CustomKind).versions.flatMap((version) => version.fields) : [];
  }

  /** Custom kinds, and those of aggregated APIs, which nothing describes but their rows. Read only when a name is not a built-in one. */
  async #others(): Promise<readonly (CustomKind | ReadableKind)[]> {
    if (this.#custom !== null) return this.#custom;
    const found: (CustomKind | ReadableKind)[] = [];
    for await (const row of storedRows({ reader: this.#reader, cluster: this.#cluster, kind: CRDS, namespace: null, limit: PAGE_DEFINITIONS })) {
      const kind = customKindOf(parsedBody(row));
      if (kind !== null) found.push(kind);
    }
    const described = new Set([...BUILTIN_KINDS, ...found].map(kindId));
    for (const id of this.stored) {
      if (described.has(id)) continue;
      const [row] = await this.#reader.list({ cluster: this.#cluster, kind: id, limit: 1 });
      found.push(undescribedKind(id, row));
    }
    this.#custom = found;
    return found;
  }
}

function undescribedKind(id: KindId, row: StoredObject | undefined): ReadableKind {
  const { group, resource } = splitKindId(id);
  const kind = row?.kind ?? resource;
  return { group, resource, kind, namespaced: row === undefined || namespaceOf(row.key) !== '', singular: kind.toLowerCase(), shortNames: [], categories: [] };
}
