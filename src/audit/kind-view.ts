import type { Cluster } from '../cluster/cluster.ts';
import type { KindPlan } from '../config/plan.ts';
import { type ObjectKey, objectKey } from '../model/key.ts';
import { compareRevisions, type Revision } from '../model/revision.ts';
import type { StorageReader, StoredObject } from '../storage/storage.ts';
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
  readonly signal: AbortSignal;
}

/** Both sides of one kind, each object reduced to what is compared. */
export class KindView {
  readonly plan: KindPlan;
  readonly revisions: 'equal' | 'may lag';
  readonly #parts: KindViewParts;
  readonly #reducer: Reducer;

  constructor(parts: KindViewParts) {
    const { plan } = parts;
    this.plan = plan;
    this.#parts = parts;
    this.#reducer = new Reducer(plan, parts.secretKey, parts.reader.reencodes);
    // A row may wait for its interval; that it will be written, only the mirror knows.
    this.revisions = plan.minIntervalSeconds > 0 ? 'may lag' : this.#reducer.revisions;
  }

  /** Everything that the rules select, and the oldest revision as of which a page of it was read. Throws when an object cannot be read. */
  async list(): Promise<{ readonly live: Map<ObjectKey, Seen>; readonly listed: Revision }> {
    const live = new Map<ObjectKey, Seen>();
    let listed: Revision = '';
    for (const scope of this.plan.scopes) {
      let token: string | null = null;
      do {
        const query: { limit: number; continue?: string } = token === null ? { limit: PAGE } : { limit: PAGE, continue: token };
        const page: PageEnd | string = await readPage(this.#parts, scope, query, (object) => {
          const seen = this.#reducer.live(object);
          if (seen !== null) live.set(objectKey(object.namespace, object.name), seen);
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
    return { live, listed };
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
