import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { DocumentStore } from './document-store.ts';
import { documentId } from './documents.ts';
import type { EventBody } from './event-body.ts';
import type { WriteOutcome } from './journal.ts';
import { WATCH_ADD } from './watch-frames.ts';
import type { WriteLog } from './writer.ts';

/** A stored event. */
export interface EventRow {
  readonly id: number;
  /** JSON text of the document, without `_id`. */
  readonly document: string;
}

/** Which events a query names. Times are Unix milliseconds, exclusive. */
export interface EventScope {
  readonly clusters: readonly string[];
  readonly after: number | null;
  readonly before: number | null;
}

const CHUNK = 500;
/** SQLite has no infinity among its integers. */
const LAST = Number.MAX_SAFE_INTEGER;

/** The events of the `event` database, all clusters in one table, and their copies among the documents. Everything is synchronous; writes belong into a Writer. */
export class EventStore {
  readonly #documents: DocumentStore;
  readonly #insert: StatementSync;
  readonly #page: StatementSync;
  readonly #prune: StatementSync;
  readonly #wipe: StatementSync;

  constructor(db: DatabaseSync, documents: DocumentStore) {
    this.#documents = documents;
    this.#insert = db.prepare(`
      INSERT INTO events (cluster, name, revision, event_time, created_at, document) VALUES (?, ?, ?, ?, ?, ?)
      ON CONFLICT (cluster, name, revision) DO NOTHING RETURNING id`);
    this.#page = db.prepare(`
      SELECT id, event_time AS eventTime, document FROM events
      WHERE cluster IN (SELECT value FROM json_each(?)) AND event_time > ? AND event_time < ? AND (event_time, id) < (?, ?)
      ORDER BY event_time DESC, id DESC LIMIT ${CHUNK}`);
    this.#prune = db.prepare('DELETE FROM events WHERE created_at < ?');
    this.#wipe = db.prepare('DELETE FROM events WHERE cluster = ?');
  }

  /** Inserts an event and puts its copy among the documents; an event that is there already (by name and resourceVersion) changes nothing. */
  insert(event: EventBody, now: number, log: WriteLog): WriteOutcome {
    const document = event.document(now);
    const row = this.#insert.get(event.cluster, event.name, event.revision, event.eventTimeMs, now, document) as { readonly id: number } | undefined;
    const outcome = row === undefined ? 'duplicate' : 'created';
    const { cluster, uid, revision } = event;
    log.entries.push({ time: now, method: 'PUT', key: `${cluster}/events/${event.name ?? ''}`, uid, resourceVersion: revision, outcome });
    if (row === undefined) return outcome;
    log.changes.push({ collection: 'event', cluster, type: 'Event', frames: [WATCH_ADD], hasDiff: true, text: () => eventText({ id: row.id, document }) });
    const { copy } = event;
    if (copy !== null) this.#documents.put(copy, now, { entries: [], changes: log.changes });
    return outcome;
  }

  /** Events newest first, a chunk at a time. */
  *newestFirst(scope: EventScope): Generator<readonly EventRow[]> {
    const clusters = JSON.stringify(scope.clusters);
    let below: readonly [number, number] | null = [LAST, LAST];
    while (below !== null) {
      const rows = this.#page.all(clusters, scope.after ?? -LAST, scope.before ?? LAST, ...below) as unknown as readonly (EventRow & {
        readonly eventTime: number;
      })[];
      yield rows;
      const last = rows.at(-1);
      below = last === undefined || rows.length < CHUNK ? null : [last.eventTime, last.id];
    }
  }

  /** Forgets events stored before `time`. Returns how many. */
  prune(time: number): number {
    return Number(this.#prune.run(time).changes);
  }

  /** Removes all events of a cluster. Returns how many. */
  wipe(cluster: string): number {
    return Number(this.#wipe.run(cluster).changes);
  }
}

/** The document of an event with its `_id`. */
export function eventText({ id, document }: EventRow): string {
  return `{"_id":"${documentId(id)}",${document.slice(1)}`;
}
