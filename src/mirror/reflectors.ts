import type { ObjectCache } from '../cache/object-cache.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { type KindPlan, selectorsOf } from '../config/plan.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import type { Random } from '../kit/random.ts';
import type { Scope } from '../model/kind.ts';
import type { Revision } from '../model/revision.ts';
import { createReflector, type Reflector } from '../reflector/shell.ts';
import type { ResyncReason } from '../reflector/state.ts';
import type { Delivery } from './delivery.ts';
import type { Sharding } from './sharding.ts';

export interface ReflectorsOptions {
  readonly plan: KindPlan;
  readonly cluster: Cluster;
  readonly cache: ObjectCache;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly firstList: 'paged' | 'streaming';
  /** Is told of every page. Absent: everything is mirrored. */
  readonly sharding?: Sharding | null | undefined;
}

/** The reflectors of one kind, one per scope. */
export class Reflectors {
  readonly #options: ReflectorsOptions;
  readonly #byScope = new Map<Scope, Reflector>();

  constructor(options: ReflectorsOptions) {
    this.#options = options;
  }

  /** Follows a scope from a revision, or from a list when there is none. */
  create(scope: Scope, from: Revision | null, delivery: Delivery): Reflector {
    const { plan, cluster, cache, clock, random, log, firstList, sharding } = this.#options;
    const reflector = createReflector({
      kind: plan.kind,
      scope,
      cluster,
      sink: delivery.sink(cache.scope(scope), (reason) => this.resync(scope, reason)),
      clock,
      random,
      log,
      selectors: selectorsOf(plan),
      resumeFrom: from,
      options: { firstList },
      onPage: (end) => sharding?.listed(plan.kind, end),
    });
    this.#byScope.set(scope, reflector);
    return reflector;
  }

  resync(scope: Scope, reason: ResyncReason): void {
    this.#byScope.get(scope)?.resync(reason);
  }

  resyncAll(reason: ResyncReason): void {
    for (const reflector of this.#byScope.values()) reflector.resync(reason);
  }

  /** The API server answered another kind: those that wait because it was away ask again. */
  reached(): void {
    for (const reflector of this.#byScope.values()) reflector.reached();
  }
}
