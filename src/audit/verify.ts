import { createHash } from 'node:crypto';
import type { Cluster, ListQuery } from '../cluster/cluster.ts';
import type { KindPlan } from '../config/plan.ts';
import { ListReader } from '../json/list-reader.ts';
import { ObjectScanner } from '../json/scanner.ts';
import type { Clock } from '../kit/clock.ts';
import { nameOf, namespaceOf, type ObjectKey, objectKey } from '../model/key.ts';
import { apiVersionOf } from '../model/kind.ts';
import type { RawObject } from '../model/raw-object.ts';
import type { StorageReader, StoredObject } from '../storage/storage.ts';
import { createTransform, type Transform } from '../transform/transform.ts';
import { compare, type Drift, type Seen } from './diff.ts';

const PAGE = 500;
/** A difference counts when the copy has had this long to catch up with what the cluster showed. */
const PATIENCE_MS = 10_000;
const LOOK_EVERY_MS = 20;

export interface Difference {
  readonly kind: string;
  readonly key: ObjectKey;
  /** `unknown`: the object changes faster than both sides can be read at one revision. */
  readonly drift: Drift | 'unknown';
  readonly live: Pick<Seen, 'uid' | 'revision'> | null;
  readonly row: Pick<Seen, 'uid' | 'revision'> | null;
}

export interface VerifyOptions {
  readonly plan: KindPlan;
  readonly clusterName: string;
  readonly cluster: Cluster;
  readonly reader: StorageReader;
  readonly secretKey: Uint8Array;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How many objects were compared so far, for progress. */
  readonly onProgress?: (objects: number) => void;
}

/**
 * Compares one kind of a live cluster with its copy, by content. Memory is a hash per object. What differs at first sight is
 * looked at again, object by object, until both sides show the same revision or the copy had time enough: beside a running
 * mirror, under churn, a copy that merely lags by a commit is no difference.
 */
export async function* verifyKind(options: VerifyOptions): AsyncGenerator<Difference, number> {
  const view = new View(options);
  const live = await view.list();
  let compared = 0;
  const suspects = new Set<ObjectKey>();
  for await (const [key, row] of view.rows()) {
    const seen = live.get(key) ?? null;
    live.delete(key);
    if (compare(seen, row, view.revisions) !== null) suspects.add(key);
    compared++;
    options.onProgress?.(compared);
  }
  for (const key of live.keys()) {
    suspects.add(key);
    compared++;
    options.onProgress?.(compared);
  }
  yield* view.settle(suspects);
  return compared;
}

/** Both sides of one kind, each object reduced to what is compared. */
class View {
  readonly revisions: 'equal' | 'may lag';
  readonly #options: VerifyOptions;
  readonly #transform: Transform | null;
  readonly #scanner: ObjectScanner;
  #scratch = Buffer.alloc(64 * 1024);

  constructor(options: VerifyOptions) {
    const { plan } = options;
    this.#options = options;
    this.#transform = createTransform(plan, { secretKey: options.secretKey });
    this.#scanner = new ObjectScanner({ kind: plan.kind.kind, apiVersion: apiVersionOf(plan.kind) });
    this.revisions = plan.ignoreChanges.length > 0 || plan.minIntervalSeconds > 0 ? 'may lag' : 'equal';
  }

  /** Everything that the rules select, or of that the object with key `only`. */
  async list(only: ObjectKey | null = null): Promise<Map<ObjectKey, Seen>> {
    const { plan, cluster, signal } = this.#options;
    const live = new Map<ObjectKey, Seen>();
    const name = only === null ? [] : [`metadata.name=${nameOf(only)}`];
    const fieldSelector = [...name, ...(plan.fieldSelector === null ? [] : [plan.fieldSelector])].join(',');
    const selectors = { labelSelector: plan.labelSelector ?? undefined, fieldSelector: fieldSelector === '' ? undefined : fieldSelector };
    for (const scope of only === null ? plan.scopes : [namespaceOf(only)]) {
      let token: string | null = null;
      do {
        const reader: ListReader = new ListReader({
          kind: plan.kind.kind,
          apiVersion: apiVersionOf(plan.kind),
          onItem: (object) => {
            const seen = this.#look(object);
            if (seen !== null) live.set(objectKey(object.namespace, object.name), seen);
          },
          onDamaged: (error) => {
            throw error;
          },
        });
        const query: ListQuery = { limit: PAGE, ...selectors, ...(token === null ? {} : { continue: token }) };
        await cluster.list(plan.kind, scope, query, (chunk) => reader.push(chunk), signal);
        token = reader.end().continue;
      } while (token !== null);
    }
    return live;
  }

  async *rows(): AsyncGenerator<readonly [ObjectKey, Seen]> {
    const { plan, clusterName, reader } = this.#options;
    let after: ObjectKey | undefined;
    for (;;) {
      const page = await reader.list({ cluster: clusterName, kind: plan.id, after, limit: PAGE });
      for (const row of page) yield [row.key, this.#lookAtRow(row)];
      after = page.at(-1)?.key;
      if (page.length < PAGE) return;
    }
  }

  /**
   * Looks again and again at all that differed, until both sides agree or the copy had time enough. Yields what is wrong, and
   * what cannot be told because both sides keep moving.
   */
  async *settle(suspects: ReadonlySet<ObjectKey>): AsyncGenerator<Difference, void> {
    const { plan, clock, signal } = this.#options;
    const until = clock.now() + PATIENCE_MS + plan.minIntervalSeconds * 1000;
    const firstRow = new Map<ObjectKey, string>();
    const left = new Set(suspects);
    while (left.size > 0) {
      const isLast = clock.now() >= until;
      for (const key of left) {
        const live = await this.#live(key);
        const row = await this.#row(key);
        const drift = compare(live, row, this.revisions);
        // Same incarnation, same revision, other content: waiting cannot mend that.
        const isFinal = drift === 'body' && live?.revision === row?.revision;
        if (drift !== null && !isFinal && !isLast) {
          if (!firstRow.has(key)) firstRow.set(key, row?.revision ?? 'none');
          continue;
        }
        left.delete(key);
        if (drift === null) continue;
        const moved = firstRow.has(key) && firstRow.get(key) !== (row?.revision ?? 'none');
        yield { kind: plan.id, key, drift: moved && !isFinal ? 'unknown' : drift, live: brief(live), row: brief(row) };
      }
      if (left.size > 0) await clock.sleep(LOOK_EVERY_MS, signal);
      signal.throwIfAborted();
    }
  }

  async #live(key: ObjectKey): Promise<Seen | null> {
    const { plan, cluster, signal } = this.#options;
    // A get knows no selectors: whether the object still matches must be asked of the server, by a list of one.
    if (plan.labelSelector !== null || plan.fieldSelector !== null) return (await this.list(key)).get(key) ?? null;
    const bytes = await cluster.get(plan.kind, key, signal);
    if (bytes === null) return null;
    return this.#scan(bytes);
  }

  async #row(key: ObjectKey): Promise<Seen | null> {
    const { plan, clusterName, reader } = this.#options;
    const row = await reader.get(clusterName, plan.id, key);
    return row === null ? null : this.#lookAtRow(row);
  }

  /** A row's columns must agree with its own body, too: they are what readers select by. */
  #lookAtRow(row: StoredObject): Seen {
    const { plan } = this.#options;
    try {
      const seen = this.#scan(row.body);
      if (seen === null) return { uid: row.uid, revision: row.revision, content: 'the row holds an object that its rule leaves out' };
      const consistent =
        seen.uid === row.uid &&
        seen.revision === row.revision &&
        objectKey(this.#scanner.namespace, this.#scanner.name) === row.key &&
        row.kind === plan.kind.kind &&
        row.apiVersion === apiVersionOf(plan.kind);
      return { uid: row.uid, revision: row.revision, content: consistent ? seen.content : 'the columns of the row and its body disagree' };
    } catch {
      return { uid: row.uid, revision: row.revision, content: 'the row holds no valid object' };
    }
  }

  #scan(bytes: Uint8Array): Seen | null {
    const end = this.#scanner.scan(bytes, 0, bytes.length);
    if (end === -1) throw new Error('the object ends too early');
    if (this.#scanner.problem !== null) throw new Error(this.#scanner.problem);
    return this.#look(this.#scanner);
  }

  /** What must be stored of an object, as a hash; null when a rule leaves it out. */
  #look(object: RawObject): Seen | null {
    const { uid, revision } = object;
    const transformed = this.#transform?.apply(object) ?? { keep: true as const, source: object, contentHash: null };
    if (!transformed.keep) return null;
    if (transformed.contentHash !== null) return { uid, revision, content: transformed.contentHash };
    const { source } = transformed;
    if (this.#scratch.length < source.size) this.#scratch = Buffer.alloc(source.size * 2);
    source.copyTo(this.#scratch, 0);
    return { uid, revision, content: createHash('sha256').update(this.#scratch.subarray(0, source.size)).digest('base64') };
  }
}

function brief(seen: Seen | null): Pick<Seen, 'uid' | 'revision'> | null {
  return seen === null ? null : { uid: seen.uid, revision: seen.revision };
}
