import { backoffDelay } from '../kit/backoff.ts';
import type { Revision } from '../model/revision.ts';
import { type Failure, httpStatusOf, isAway, isTransient } from './failure.ts';
import { type ReflectorOptions, watchSeconds } from './options.ts';
import type { ListReason } from './reflector.ts';
import type { Context, Effect, ListPlan, Listing, Memory, Next, Step } from './state.ts';

/** The moves between states that several of them make. */

export const FRESH_MEMORY: Memory = {
  known: null,
  listed: false,
  failures: 0,
  isAway: false,
  healthySince: null,
  shortWatches: 0,
  bookmarks: false,
};

/**
 * A new round. `regressed` outranks everything: it tells the sink that older objects are the true ones. Until a list was
 * completed every other list is the `first`.
 */
export function newPlan(reason: ListReason, memory: Memory, options: ReflectorOptions): ListPlan {
  return {
    reason: reason === 'regressed' || memory.listed ? reason : 'first',
    mode: options.firstList,
    lostTokens: 0,
    cutStreams: 0,
    pagingLost: false,
    streamingRefused: false,
    anyRevision: false,
  };
}

/** The ladder: paged and streaming are each other's fallback; a list without limit comes last (RF-S5, WL-S4). */
export function fallBack(plan: ListPlan, memory: Memory, options: ReflectorOptions): ListPlan {
  switch (plan.mode) {
    case 'paged':
      return { ...plan, pagingLost: true, mode: plan.streamingRefused ? 'full' : 'streaming' };
    case 'streaming':
      return { ...plan, streamingRefused: true, mode: plan.pagingLost ? 'full' : 'paged' };
    case 'full':
      return newPlan(plan.reason, memory, options);
  }
}

/** `before` comes first among the effects: what ends the state that is left. */
export function enterList(plan: ListPlan, memory: Memory, context: Context, before: readonly Effect[]): Step {
  const status: Effect = {
    do: 'status',
    status: { at: 'listing', reason: plan.reason, streaming: plan.mode === 'streaming' },
  };
  if (plan.mode !== 'streaming') {
    const state: Listing = {
      at: 'listing',
      plan,
      memory,
      page: 1,
      token: null,
      first: null,
      phase: 'room',
      open: false,
      partial: false,
      tries: 0,
      heardAt: context.now,
    };
    return [state, [...before, status, { do: 'awaitRoom' }]];
  }
  const asked = plan.anyRevision ? '' : (memory.known ?? '');
  const timeoutSeconds = watchSeconds(context.options.watchMinSeconds, context.random);
  return [
    {
      at: 'streaming',
      plan,
      memory,
      asked,
      timeoutMs: timeoutSeconds * 1000,
      open: false,
      heardAt: context.now,
      events: 0,
    },
    [
      ...before,
      status,
      { do: 'watch', query: { resourceVersion: asked, sendInitialEvents: true, timeoutSeconds } },
      { do: 'wakeAt', at: context.now + Math.min(context.options.lateBookmarkMs, context.options.openMs) },
    ],
  ];
}

export function enterWatch(from: Revision, memory: Memory, context: Context, before: readonly Effect[]): Step {
  const timeoutSeconds = watchSeconds(context.options.watchMinSeconds, context.random);
  return [
    {
      at: 'watching',
      memory: { ...memory, known: from },
      revision: from,
      timeoutMs: timeoutSeconds * 1000,
      openedAt: null,
      heardAt: context.now,
      events: 0,
    },
    [
      ...before,
      { do: 'status', status: { at: 'watching', connected: false } },
      { do: 'watch', query: { resourceVersion: from, timeoutSeconds } },
      { do: 'wakeAt', at: context.now + context.options.openMs },
    ],
  ];
}

/** Waits, without a failure: a pause between two watches, too short to be reported as waiting. */
export function pause(ms: number, next: Next, memory: Memory, context: Context): Step {
  const until = context.now + ms;
  const status: Effect = { do: 'status', status: { at: 'watching', connected: false } };
  return [{ at: 'waiting', memory, until, next }, [status, { do: 'wakeAt', at: until }]];
}

/**
 * Backs off after a failure (RF-S16): the delay grows with the failures in a row and starts again after a healthy time.
 * So it does with the answer that ends an absence of the server, if it is about the request itself (410): what came before was not the server's doing.
 * A Retry-After is a lower bound, spread a little so that its receivers do not come back together.
 */
export function backOff(
  what: { readonly during: 'list' | 'stream' | 'watch'; readonly failure: Failure; readonly next: Next },
  memory: Memory,
  context: Context,
  before: readonly Effect[],
): Step {
  const { options, now, random } = context;
  const { failure, next } = what;
  const isHealthy = memory.healthySince !== null && now - memory.healthySince >= options.healthyMs;
  const isBack = memory.isAway && failure.kind === 'answer' && !isTransient(failure);
  const earlier = isHealthy || isBack ? 0 : memory.failures;
  const grownMs = backoffDelay(options.backoff, earlier, { next: () => random });
  const wishedMs = failure.kind === 'answer' ? Math.min(failure.retryAfterMs ?? 0, options.retryAfterCapMs) : 0;
  const delayMs = Math.max(grownMs, wishedMs * (1 + random / 2));
  const until = now + delayMs;
  const failures = earlier + 1;
  return [
    { at: 'waiting', memory: { ...memory, failures, isAway: isAway(failure), healthySince: null }, until, next },
    [
      ...before,
      { do: 'note', note: { what: 'failed', during: what.during, failure, delayMs, failures, go: next.go } },
      {
        do: 'status',
        status: { at: 'waiting', untilMs: until, error: failure.message, httpStatus: httpStatusOf(failure) },
      },
      { do: 'wakeAt', at: until },
    ],
  ];
}

/** A list whose revision went back: another cluster, or a restored one. Begin again and say so (section 8, design.md 3). */
export function regress(plan: ListPlan, memory: Memory, found: Revision, context: Context, before: readonly Effect[]): Step {
  const note: Effect = { do: 'note', note: { what: 'regressed', known: memory.known ?? '', found } };
  const fresh: Memory = { ...memory, known: null };
  return enterList({ ...plan, reason: 'regressed', anyRevision: false }, fresh, context, [...before, note]);
}
