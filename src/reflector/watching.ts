import { isRevision } from '../model/revision.ts';
import { backOff, enterList, newPlan, pause } from './enter.ts';
import { type Failure, isExpired, isThrottled, isTooLarge } from './failure.ts';
import type { ListReason } from './reflector.ts';
import type { Context, Effect, Input, Memory, Next, ResyncReason, Step, Watching } from './state.ts';

type Of<T extends Input['type']> = Extract<Input, { type: T }>;

export function opened(state: Watching, context: Context): Step {
  if (state.openedAt !== null) return [state, []];
  const memory = { ...state.memory, healthySince: state.memory.healthySince ?? context.now };
  return [
    { ...state, memory, openedAt: context.now, heardAt: context.now },
    [
      { do: 'status', status: { at: 'watching', connected: true } },
      { do: 'wakeAt', at: context.now + boundMs({ ...state, openedAt: context.now }, context) },
    ],
  ];
}

/**
 * Every event and bookmark moves the revision, even to a lower one (RF-S13, RF-T3): going back costs a repetition, going
 * ahead loses events.
 */
export function heard(state: Watching, input: Of<'heard'>, context: Context): Step {
  const { now } = context;
  const effects: Effect[] = [];
  let { memory, revision } = state;
  if (input.revision !== null && isRevision(input.revision)) {
    revision = input.revision;
    memory = { ...memory, known: revision };
    effects.push({ do: 'progress', revision });
  }
  if (input.events > 0 && memory.shortWatches > 0) memory = { ...memory, shortWatches: 0 };
  const next: Watching = { ...state, memory, revision, heardAt: now, events: state.events + input.events };
  if (!input.bookmark || memory.bookmarks) return [next, effects];
  // From now on silence means more, so the watchdog looks earlier.
  const waker: Watching = { ...next, memory: { ...memory, bookmarks: true } };
  return [waker, [...effects, { do: 'wakeAt', at: now + boundMs(waker, context) }]];
}

/** The request was refused, or the connection broke. Only an answer can put the revision in doubt (RF-S10). */
export function failed(state: Watching, failure: Failure, context: Context): Step {
  if (isExpired(failure) || isTooLarge(failure)) return listAfter(state, 'expired', failure, context, []);
  // The server did not understand the request: its revision is the only part that is not ours to know.
  if (failure.kind === 'answer' && (failure.status === 400 || failure.status === 422)) {
    return listAfter(state, 'expired', failure, context, []);
  }
  if (failure.kind !== 'answer' && isVeryShort(state, context)) return veryShort(state, failure, context);
  return watchAfter(state, failure, context, []);
}

/** RF-S11. What is neither 410 nor 429 leads to a list too: an event of this stream could not be delivered (StorageReadError). */
export function errorEvent(state: Watching, failure: Failure, context: Context): Step {
  const close: readonly Effect[] = [{ do: 'close' }];
  if (isThrottled(failure)) return watchAfter(state, failure, context, close);
  return listAfter(state, 'expired', failure, context, close);
}

/** A clean end says nothing about its reason: watch again, soon but not at once (RF-S12, apiserver-observed 0.3). */
export function ended(state: Watching, context: Context): Step {
  if (isVeryShort(state, context)) {
    const message = 'The server ended a watch at once and without an event';
    return veryShort(state, { kind: 'malformed', message }, context);
  }
  const { options, now, random } = context;
  // A stream of many short watches with an event in each must not become a stream of requests.
  const isShort = now - (state.openedAt ?? now) < options.shortWatchMs;
  const ms = isShort ? options.backoff.baseMs * (1 + random) : options.rewatchJitterMs * random;
  return pause(ms, { go: 'watch', from: state.revision }, { ...state.memory, shortWatches: 0 }, context);
}

/** The watchdog (RF-S18). Silence puts only the connection in doubt, so the watch is asked again from where it was. */
export function wake(state: Watching, context: Context): Step {
  const at = state.heardAt + boundMs(state, context);
  if (context.now < at) return [state, [{ do: 'wakeAt', at }]];
  const seconds = Math.round((context.now - state.heardAt) / 1000);
  const failure: Failure = { kind: 'silent', message: `Nothing was heard from a watch for ${seconds} s, not even a bookmark` };
  return watchAfter(state, failure, context, [{ do: 'close' }]);
}

/** Something is gone and nobody knows what: only a list can tell (kubernetes#76624). */
export function deleteLost(state: Watching, context: Context): Step {
  const failure: Failure = { kind: 'malformed', message: 'A DELETED event has no readable object' };
  return listAfter(state, 'audit', failure, context, [{ do: 'close' }]);
}

export function resync(state: Watching, reason: ResyncReason, context: Context): Step {
  const memory: Memory = reason === 'regressed' ? { ...state.memory, known: null } : state.memory;
  return enterList(newPlan(reason, memory, context.options), memory, context, [{ do: 'close' }]);
}

function boundMs(state: Watching, context: Context): number {
  const { options } = context;
  if (state.openedAt === null) return options.openMs;
  const longestMs = state.timeoutMs + options.marginMs;
  return state.memory.bookmarks ? Math.min(options.idleMs, longestMs) : longestMs;
}

function isVeryShort(state: Watching, context: Context): boolean {
  return state.openedAt !== null && state.events === 0 && context.now - state.openedAt < context.options.shortWatchMs;
}

/** Back off; the third time in a row the revision itself is doubted (RF-S12, stricter: the first two cost no list). */
function veryShort(state: Watching, failure: Failure, context: Context): Step {
  const shortWatches = state.memory.shortWatches + 1;
  if (shortWatches < context.options.shortWatches) {
    return watchAfter({ ...state, memory: { ...state.memory, shortWatches } }, failure, context, []);
  }
  return listAfter({ ...state, memory: { ...state.memory, shortWatches: 0 } }, 'expired', failure, context, []);
}

function watchAfter(state: Watching, failure: Failure, context: Context, before: readonly Effect[]): Step {
  const next: Next = { go: 'watch', from: state.revision };
  return backOff({ during: 'watch', failure, next }, state.memory, context, before);
}

/** Also a 410 waits: after a restart of the server every watch of every client gets one (apiserver-observed 0.2). */
function listAfter(state: Watching, reason: ListReason, failure: Failure, context: Context, before: readonly Effect[]): Step {
  const plan = newPlan(reason, state.memory, context.options);
  return backOff({ during: 'watch', failure, next: { go: 'list', plan } }, state.memory, context, before);
}
