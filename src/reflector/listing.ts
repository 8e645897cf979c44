import { compareRevisions, isRevision } from '../model/revision.ts';
import { backOff, enterList, enterWatch, fallBack, newPlan, regress } from './enter.ts';
import { type Failure, isExpired, isTransient } from './failure.ts';
import type { Context, Effect, Input, Listing, ListPlan, ResyncReason, Step } from './state.ts';

type Of<T extends Input['type']> = Extract<Input, { type: T }>;

/** How often a chain may lose its token in one round before paging is given up. */
const LOST_TOKENS = 2;

export function room(state: Listing, context: Context): Step {
  if (state.phase !== 'room') return [state, []];
  const { options, now } = context;
  // Later pages carry limit and token only (RF-S5); the first asks for the newest state, so it names no revision (DECISIONS.md 2).
  const query = {
    ...(state.plan.mode === 'paged' ? { limit: options.pageSize } : {}),
    ...(state.token === null ? {} : { continue: state.token }),
  };
  return [
    { ...state, phase: 'asked', partial: false, heardAt: now },
    [
      { do: 'page', query },
      { do: 'wakeAt', at: now + options.pageIdleMs },
    ],
  ];
}

export function opened(state: Listing, context: Context): Step {
  if (state.phase !== 'asked') return [state, []];
  return [{ ...state, open: true, partial: true, heardAt: context.now }, state.open ? [] : [begin(state.plan)]];
}

export function heard(state: Listing, context: Context): Step {
  return [{ ...state, heardAt: context.now }, []];
}

export function pageDone(state: Listing, input: Of<'pageDone'>, context: Context): Step {
  if (state.phase !== 'asked') return [state, []];
  // A page may be so short that nobody said it had begun.
  const beginning = state.open ? [] : [begin(state.plan)];
  const open: Listing = { ...state, open: true };
  const first = state.first ?? input.revision;
  if (!isRevision(first)) {
    return giveUp(open, malformed(`The list has no usable resourceVersion: found '${first}'`), context, beginning);
  }
  const { known } = state.memory;
  if (known !== null && compareRevisions(first, known) < 0) {
    return regress(state.plan, state.memory, first, context, [...beginning, { do: 'listAbort' }]);
  }
  if (input.continue === null) {
    const memory = { ...state.memory, listed: true };
    return enterWatch(first, memory, context, [...beginning, { do: 'listEnd', revision: first }]);
  }
  if (input.continue === state.token) {
    return giveUp(open, malformed('The list never ends: a page gave the continue token it was asked with'), context, beginning);
  }
  const next: Listing = { ...open, first, page: state.page + 1, token: input.continue, phase: 'room', tries: 0 };
  return [{ ...next, partial: false, heardAt: context.now }, [...beginning, { do: 'awaitRoom' }]];
}

export function failed(state: Listing, failure: Failure, context: Context): Step {
  const { plan, memory } = state;
  if (failure.kind === 'answer' && isLostToken(state, failure)) {
    const lostTokens = plan.lostTokens + 1;
    const abort = aborting(state);
    if (lostTokens < LOST_TOKENS) {
      const note: Effect = { do: 'note', note: { what: 'restarted', failure } };
      return enterList({ ...plan, lostTokens }, memory, context, [...abort, note]);
    }
    const down = fallBack({ ...plan, lostTokens }, memory, context.options);
    // The last rung has no continue token to lose; should a server invent one, it must not become a hot loop.
    if (plan.mode === 'full') {
      return backOff({ during: 'list', failure, next: { go: 'list', plan: down } }, memory, context, abort);
    }
    const note: Effect = { do: 'note', note: { what: 'fallback', from: plan.mode, to: down.mode, failure } };
    return enterList(down, memory, context, [...abort, note]);
  }
  // A later page that was refused before its first byte can be asked for again with the same token: the pages read so far stay good.
  if (state.page > 1 && !state.partial && isTransient(failure) && state.tries + 1 < context.options.pageTries) {
    const listing: Listing = { ...state, phase: 'room', tries: state.tries + 1 };
    return backOff({ during: 'list', failure, next: { go: 'page', listing } }, memory, context, []);
  }
  return giveUp(state, failure, context, []);
}

export function wake(state: Listing, context: Context): Step {
  if (state.phase === 'room') return [state, []];
  const at = state.heardAt + context.options.pageIdleMs;
  if (context.now < at) return [state, [{ do: 'wakeAt', at }]];
  const seconds = Math.round((context.now - state.heardAt) / 1000);
  const failure: Failure = { kind: 'silent', message: `Nothing was heard from a list request for ${seconds} s` };
  const [next, effects] = failed(state, failure, context);
  return [next, [{ do: 'close' }, ...effects]];
}

/** The audit's wish is granted by the list that runs already; other reasons make its pages worthless. */
export function resync(state: Listing, reason: ResyncReason, context: Context): Step {
  if (reason === 'audit') return [state, []];
  const wish = state.plan.reason === 'regressed' ? 'regressed' : reason;
  const memory = reason === 'regressed' ? { ...state.memory, known: null } : state.memory;
  const plan = newPlan(wish, memory, context.options);
  return enterList(plan, memory, context, [{ do: 'close' }, ...aborting(state)]);
}

export function aborting(state: { readonly open: boolean }): readonly Effect[] {
  return state.open ? [{ do: 'listAbort' }] : [];
}

/** Gives the list up and begins it again later, from page 1: nothing may be concluded from the pages that were read. */
function giveUp(state: Listing, failure: Failure, context: Context, before: readonly Effect[]): Step {
  const { plan, memory } = state;
  const isOver = plan.mode === 'full' || (isExpired(failure) && plan.lostTokens + 1 >= LOST_TOKENS);
  const next = isOver ? fallBack(plan, memory, context.options) : isExpired(failure) ? { ...plan, lostTokens: plan.lostTokens + 1 } : plan;
  const abort = aborting(state);
  return backOff({ during: 'list', failure, next: { go: 'list', plan: next } }, memory, context, [...before, ...abort]);
}

/** A later page answered that its token is too old (410), or that it is none at all (400). */
function isLostToken(state: Listing, failure: Extract<Failure, { kind: 'answer' }>): boolean {
  return state.page > 1 && (isExpired(failure) || failure.status === 400);
}

function begin(plan: ListPlan): Effect {
  return { do: 'listBegin', reason: plan.reason };
}

function malformed(message: string): Failure {
  return { kind: 'malformed', message };
}
