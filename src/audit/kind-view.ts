import type { Cluster } from '../cluster/cluster.ts';
import type { KindPlan } from '../config/plan.ts';
import type { Clock } from '../kit/clock.ts';
import { type ObjectKey, objectKey } from '../model/key.ts';
import type { RawObject } from '../model/raw-object.ts';
import { compareRevisions, type Revision } from '../model/revision.ts';
import type { Retention, StorageReader, StoredObject } from '../storage/storage.ts';
import { Reducer, type SeenRow } from './content.ts';
import type { Seen } from './diff.ts';
import { nextToken, type PageEnd, readOne, readPage } from './live.ts';

const PAGE = 500;

export interface KindViewParts {
  readonly plan: KindPlan;
  readonly clusterName: string;
  readonly cluster: Cluster;
  readonly reader: StorageReader;
  readonly secretKey: Uint8Array;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Both sides of one kind, each object reduced to what is compared. */
export class KindView {
  readonly plan: KindPlan;
  readonly revisions: 'equal' | 'may lag';
  /** Null: the copy has exactly what the cluster has. */
  readonly retention: Retention | null;
  readonly #parts: KindViewParts;
  readonly #reducer: Reducer;

  constructor(parts: KindViewParts) {
    const { plan } = parts;
    this.plan = plan;
    this.#parts = parts;
    this.#reducer = new Reducer(plan, parts.secretKey, parts.reader.reencodes);
    this.retention = parts.reader.retention?.(plan.id) ?? null;
    // A row may wait for its interval; that it will be written, only the mirror knows.
    this.revisions = plan.minIntervalSeconds > 0 ? 'may lag' : this.#reducer.revisions;
  }

  /**
   * Everything that the rules select, the oldest revision as of which a page of it was read, and the keys of what is so old that storage may have let its row go.
   * Throws when an object cannot be read.
   */
  async list(): Promise<{ readonly live: Map<ObjectKey, Seen>; readonly listed: Revision; readonly aged: ReadonlySet<ObjectKey> }> {
    const live = new Map<ObjectKey, Seen>();
    const aged = new Set<ObjectKey>();
    let listed: Revision = '';
    for (const scope of this.plan.scopes) {
      let token: string | null = null;
      do {
        const query: { limit: number; continue?: string } = token === null ? { limit: PAGE } : { limit: PAGE, continue: token };
        const page: PageEnd | string = await readPage(this.#parts, scope, query, (object) => {
          const seen = this.#reducer.live(object);
          if (seen === null) return;
          const key = objectKey(object.namespace, object.name);
          live.set(key, seen);
          if (this.retention?.mayBeGone(bodyOf(object), this.#parts.clock.wall()) === true) aged.add(key);
        }).catch((cause: unknown) => nextToken(cause, token));
        if (typeof page === 'string') {
          token = page;
          continue;
        }
        if (page.damaged > 0) throw new Error(`${page.damaged} of its objects cannot be read as the API server sends them`);
        if (listed === '' || compareRevisions(page.revision, listed) < 0) listed = page.revision;
        token = page.continue;
      } while (token !== null);
    }
    return { live, listed, aged };
  }

  /** The object as it is now, if the rules want it. */
  async one(key: ObjectKey): Promise<Seen | null> {
    let seen: Seen | null = null;
    await readOne(this.#parts, key, (object) => {
      seen = this.#reducer.live(object);
    });
    return seen;
  }

  async *rows(): AsyncGenerator<StoredObject> {
    const { clusterName, reader } = this.#parts;
    let after: ObjectKey | undefined;
    for (;;) {
      const page = await reader.list({ cluster: clusterName, kind: this.plan.id, after, limit: PAGE });
      yield* page;
      after = page.at(-1)?.key;
      if (page.length < PAGE) return;
    }
  }

  async row(key: ObjectKey, expected: Seen | null): Promise<SeenRow | null> {
    const { clusterName, reader } = this.#parts;
    const row = await reader.get(clusterName, this.plan.id, key);
    return row === null ? null : this.reduce(row, expected);
  }

  reduce(row: StoredObject, expected: Seen | null): SeenRow {
    return this.#reducer.row(row, expected);
  }
}

function bodyOf(object: RawObject): Buffer {
  const body = Buffer.alloc(object.size);
  object.copyTo(body, 0);
  return body;
}
