import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../kit/clock.ts';
import { CustomStore } from './custom-store.ts';
import { DocumentStore, matching } from './document-store.ts';
import { type DataNeed, dataNeed, type DocumentRow } from './documents.ts';
import type { Scope } from './document-store.ts';
import { EventStore } from './event-store.ts';
import type { ListQuery } from './query.ts';
import type { WatchBus } from './watch-bus.ts';
import type { Writer } from './writer.ts';

/** What the routes work with. */
export interface Service {
  readonly clock: Clock;
  readonly documents: DocumentStore;
  readonly events: EventStore;
  readonly custom: CustomStore;
  readonly writer: Writer;
}

export function createService(options: {
  readonly db: DatabaseSync;
  readonly clock: Clock;
  readonly writer: Writer;
  readonly watches: WatchBus;
  readonly checksRevisions: boolean;
}): Service {
  const { db, clock, writer, watches, checksRevisions } = options;
  const documents = new DocumentStore(db, { checksRevisions, compares: () => watches.compares });
  return { clock, documents, events: new EventStore(db, documents), custom: new CustomStore(db), writer };
}

/** Lets others have a turn between two chunks of a long read. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** The documents of a page, in the order of namespace and name. */
export async function pageOf({ documents }: Service, scope: Scope, query: ListQuery): Promise<readonly DocumentRow[]> {
  const quick = documents.page(scope, query);
  if (quick !== null) return quick;
  const found: DocumentRow[] = [];
  let toSkip = query.offset;
  for await (const rows of matchingChunks(documents.chunks(scope, dataNeed(query.fields, query.conditions)), query)) {
    const skipped = Math.min(toSkip, rows.length);
    toSkip -= skipped;
    for (let at = skipped; at < rows.length && found.length < query.limit; at++) found.push(rows[at] as DocumentRow);
    if (found.length >= query.limit) break;
  }
  return found;
}

/** Every document that meets the conditions, without a limit. */
export async function allOf({ documents }: Service, scope: Scope, query: Pick<ListQuery, 'conditions'>, need: DataNeed): Promise<readonly DocumentRow[]> {
  const found: DocumentRow[] = [];
  for await (const rows of matchingChunks(documents.chunks(scope, need), query)) found.push(...rows);
  return found;
}

export async function* matchingChunks(chunks: Iterable<readonly DocumentRow[]>, query: Pick<ListQuery, 'conditions'>): AsyncGenerator<readonly DocumentRow[]> {
  let isFirst = true;
  for (const rows of chunks) {
    if (!isFirst) await nextTurn();
    isFirst = false;
    yield matching(rows, query);
  }
}
