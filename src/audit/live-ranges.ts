import type { Cluster } from '../cluster/cluster.ts';
import { ApiError } from '../model/errors.ts';
import { objectKey, type ObjectKey } from '../model/key.ts';
import type { Scope } from '../model/kind.ts';
import { compareRevisions, type Revision } from '../model/revision.ts';
import { compareBytes } from '../storage/key-order.ts';
import type { AuditedKind } from './audited-kind.ts';
import type { Reducer } from './content.ts';
import type { Seen } from './diff.ts';
import { nextToken, type PageEnd, readPage } from './live.ts';
import type { Pace } from './pace.ts';

/** Objects in a page. */
export const PAGE = 500;

/** A stretch of keys in their order, and all that the cluster has there. */
export interface Range {
  readonly scope: Scope;
  /** Exclusive; null: from the beginning of the scope. */
  readonly after: ObjectKey | null;
  /** Inclusive; null: to the end of the scope. */
  readonly upTo: ObjectKey | null;
  readonly live: ReadonlyMap<ObjectKey, Seen>;
  readonly listed: Revision;
  /** Bytes of an object, on average. */
  readonly bytes: number;
  /** Whether what is not in `live` is not in the cluster. */
  readonly isWhole: boolean;
}

/** Ends the pass of a kind with a reason that is no failure of ours. */
class Skipped extends Error {}

/** Throws when nothing can be said of the kind just now. */
export function checkObstacle(kind: AuditedKind): void {
  const obstacle = kind.obstacle();
  if (obstacle !== null) throw new Skipped(obstacle);
}

/**
 * The objects of one scope as the cluster lists them, a stretch of keys a page. Pages come in the order of keys, as rows do; where they do not, the whole
 * scope is one stretch. A list that is older than what the mirror was told before says that history went back: then the mirror lists everything anew.
 */
export async function* liveRanges(
  parts: { readonly kind: AuditedKind; readonly cluster: Cluster; readonly pace: Pace; readonly reducer: Reducer; readonly signal: AbortSignal },
  scope: Scope,
): AsyncGenerator<Range, void> {
  const { kind, cluster, pace, reducer, signal } = parts;
  let token: string | null = null;
  let after: ObjectKey | null = null;
  /** All pages together, once one of them was not in the order of keys (an aggregated API). */
  let unordered: Map<ObjectKey, Seen> | null = null;
  let isWhole = true;
  for (;;) {
    await pace.turn(signal);
    checkObstacle(kind);
    const { progress } = kind.cache.scopes.find((state) => state.scope === scope) ?? { progress: null };
    const live: Map<ObjectKey, Seen> = unordered ?? new Map<ObjectKey, Seen>();
    let last: ObjectKey | null = after;
    let isAscending = true;
    let bytes = 0;
    let objects = 0;
    const query: { limit: number; continue?: string } = token === null ? { limit: PAGE } : { limit: PAGE, continue: token };
    const page: PageEnd | string = await readPage({ plan: kind.plan, cluster, signal }, scope, query, (object) => {
      const key = objectKey(object.namespace, object.name);
      if (last !== null && compareBytes(key, last) <= 0) isAscending = false;
      last = key;
      objects++;
      bytes += object.size;
      if (!kind.isOurs(object.uid)) return;
      try {
        const seen = reducer.live(object);
        if (seen !== null) live.set(key, seen);
      } catch (cause) {
        // A rule must look into it, and it is not JSON: what its row should be is not known.
        if (!(cause instanceof SyntaxError)) throw cause;
        isWhole = false;
      }
    }).catch((cause: unknown) => {
      // What comes by another token is as good only while keys are in order.
      if (unordered !== null && cause instanceof ApiError && cause.status === 410) throw new Skipped('its list took longer than the API server keeps one');
      return nextToken(cause, token);
    });
    if (typeof page === 'string') {
      token = page;
      continue;
    }
    if (token === null && progress !== null && compareRevisions(page.revision, progress) < 0) {
      kind.relist();
      throw new Skipped(`the cluster is at revision ${page.revision}, and was at ${progress}: everything is listed anew`);
    }
    if (page.damaged > 0) isWhole = false;
    if (unordered === null && !isAscending) {
      if (token !== null) throw new Skipped('its pages are not in the order of their keys');
      unordered = live;
    }
    const found = { scope, live, listed: page.revision, bytes: bytes / Math.max(objects, 1), isWhole };
    if (page.continue === null) {
      yield { ...found, after: unordered === null ? after : null, upTo: null };
      return;
    }
    if (unordered === null && last !== null && last !== after) {
      yield { ...found, after, upTo: last };
      after = last;
      isWhole = true;
    }
    token = page.continue;
  }
}
