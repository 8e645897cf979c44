import type { AuditedKind } from '../audit/audited-kind.ts';
import type { ObjectCache } from '../cache/object-cache.ts';
import type { KindPlan } from '../config/plan.ts';
import type { Clock } from '../kit/clock.ts';
import type { Scope } from '../model/kind.ts';
import { BACKGROUND } from '../queue/queue.ts';
import type { ObservedQueue } from '../queue/work-queue.ts';
import type { ReflectorStatus } from '../reflector/reflector.ts';
import type { Delivery } from './delivery.ts';
import type { HeldDeletions } from './held.ts';
import type { Sharding } from './sharding.ts';

export interface AuditedParts {
  readonly plan: KindPlan;
  readonly cache: ObjectCache;
  readonly queue: ObservedQueue;
  readonly held: HeldDeletions;
  readonly delivery: Pick<Delivery, 'seen' | 'absent'>;
  readonly clock: Clock;
  /** Absent: everything is mirrored. */
  readonly sharding: Sharding | null | undefined;
  readonly status: ReadonlyMap<Scope, ReflectorStatus>;
  readonly ending: AbortSignal;
  readonly resync: (scope: Scope) => void;
  readonly relist: () => void;
}

/** One kind as the audit meets it. */
export function auditedKind(parts: AuditedParts): AuditedKind {
  const { plan, cache, queue, held, delivery, clock, sharding, status, ending } = parts;
  return {
    plan,
    cache,
    scopeOf: (key) => cache.scopeOf(key),
    isOurs: (uid) => sharding?.isOurs(uid) ?? true,
    isIdle: (key) => queue.isIdle(key),
    obstacle() {
      if (ending.aborted) return 'it is being stopped';
      for (const scope of cache.scopes) {
        const now = status.get(scope.scope);
        if (now?.at === 'waiting') return `it is not followed just now: ${now.error}`;
        if (!scope.complete || scope.regressed) return 'its list is not complete';
      }
      return null;
    },
    isWatched(scope) {
      const now = status.get(scope);
      return now?.at === 'watching' && now.connected;
    },
    rewrite(key) {
      if (cache.doubt(key, clock.now())) queue.add(key, BACKGROUND);
    },
    adopt(rows) {
      const unknown = rows.filter(({ key }) => cache.get(key) === undefined);
      const gone = held.guard('the audit found rows that no object is known of', (fence) => {
        const verdict = fence(unknown.length + cache.held, cache.size + cache.held + unknown.length);
        for (const row of unknown) cache.adopt(row, clock.now(), verdict);
        return verdict === 'hold' ? [] : unknown.map(({ key }) => key);
      });
      for (const key of gone) queue.add(key, BACKGROUND);
    },
    seen: (object) => delivery.seen(object),
    absent: (key, was) => delivery.absent(key, was),
    resync: parts.resync,
    relist: parts.relist,
  };
}
