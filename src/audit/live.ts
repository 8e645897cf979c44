import type { Cluster, ListQuery } from '../cluster/cluster.ts';
import type { KindPlan } from '../config/plan.ts';
import { ListReader } from '../json/list-reader.ts';
import { ObjectScanner } from '../json/scanner.ts';
import { ApiError } from '../model/errors.ts';
import { nameOf, namespaceOf, type ObjectKey, objectKey } from '../model/key.ts';
import { apiVersionOf, type Scope } from '../model/kind.ts';
import type { RawObject } from '../model/raw-object.ts';
import type { Revision } from '../model/revision.ts';

/** How the objects of one kind are asked for: with the kind's own selectors, so that exactly what must be stored comes back. */
export interface LiveSource {
  readonly plan: KindPlan;
  readonly cluster: Cluster;
  readonly signal: AbortSignal;
}

/** What a page says beside its objects. */
export interface PageEnd {
  readonly revision: Revision;
  /** Null on the last page. */
  readonly continue: string | null;
  /** Objects of the page that could not be read: which keys they have is not known. */
  readonly damaged: number;
}

/** Reads one page; `onObject` is called for each of its objects, which is valid during the call only. */
export async function readPage(
  { plan, cluster, signal }: LiveSource,
  scope: Scope,
  query: Pick<ListQuery, 'limit' | 'continue' | 'fieldSelector'>,
  onObject: (object: RawObject) => void,
): Promise<PageEnd> {
  let damaged = 0;
  const reader = new ListReader({
    kind: plan.kind.kind,
    apiVersion: apiVersionOf(plan.kind),
    onItem: onObject,
    onDamaged: () => {
      damaged++;
    },
  });
  const fieldSelector = [query.fieldSelector, plan.fieldSelector].filter(Boolean).join(',');
  const selectors = { labelSelector: plan.labelSelector ?? undefined, fieldSelector: fieldSelector === '' ? undefined : fieldSelector };
  await cluster.list(plan.kind, scope, { ...query, ...selectors }, (chunk) => reader.push(chunk), signal);
  const end = reader.end();
  return { revision: end.revision, continue: end.continue, damaged };
}

/**
 * The token to go on with after a page was refused; throws the refusal when there is none. A token lives for about five minutes, then the server hands
 * out another, for the keys after it as they are by then.
 */
export function nextToken(cause: unknown, token: string | null): string {
  if (cause instanceof ApiError && cause.status === 410 && token !== null && cause.continueToken !== null) return cause.continueToken;
  throw cause;
}

/** Hands out the object of one key as it is now, if there is one that the kind's selectors want. */
export async function readOne(source: LiveSource, key: ObjectKey, onObject: (object: RawObject) => void): Promise<void> {
  const { plan, cluster, signal } = source;
  // A get knows no selectors: whether the object still matches must be asked of the server, by a list of one.
  if (plan.labelSelector !== null || plan.fieldSelector !== null) {
    await readPage(source, namespaceOf(key), { fieldSelector: `metadata.name=${nameOf(key)}` }, (object) => {
      if (objectKey(object.namespace, object.name) === key) onObject(object);
    });
    return;
  }
  const bytes = await cluster.get(plan.kind, key, signal);
  if (bytes === null) return;
  const scanner = new ObjectScanner({ kind: plan.kind.kind, apiVersion: apiVersionOf(plan.kind) });
  if (scanner.scan(bytes, 0, bytes.length) === -1) throw new Error(`Cannot read ${plan.id} ${key}: the answer ends too early`);
  if (scanner.problem !== null) throw scanner.damage();
  onObject(scanner);
}
