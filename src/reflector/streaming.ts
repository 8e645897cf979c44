import { compareRevisions, isRevision } from '../model/revision.ts';
import { backOff, enterList, fallBack, newPlan, regress } from './enter.ts';
import { type Failure, isExpired, isThrottled, isTooLarge } from './failure.ts';
import { aborting } from './listing.ts';
import type { Context, Effect, Input, ResyncReason, Step, Streaming } from './state.ts';

type Of<T extends Input['type']> = Extract<Input, { type: T }>;

/** How many streams of one round may break half-way before streaming is given up. */
const CUT_STREAMS = 2;

export function opened(state: Streaming, context: Context): Step {
  if (state.open) return [state, []];
  return [{ ...state, open: true, heardAt: context.now }, [{ do: 'listBegin', reason: state.plan.reason }]];
}

/** The revision is not looked at: initial events come in key order, so none of them says up to where we are (RF-S13). */
export function heard(state: Streaming, input: Of<'heard'>, context: Context): Step {
  return [{ ...state, heardAt: context.now, events: state.events + input.events }, []];
}

/** The list is complete and the same stream goes on as the watch (WL-S3). */
export function initialEnd(state: Streaming, input: Of<'initialEnd'>, context: Context): Step {
  const { memory, plan } = state;
  const { revision } = input;
  const beginning: readonly Effect[] = state.open ? [] : [{ do: 'listBegin', reason: plan.reason }];
  if (!isRevision(revision)) {
    const failure: Failure = { kind: 'malformed', message: `The end of the initial events has no usable resourceVersion: found '${revision}'` };
    return cut({ ...state, open: true }, failure, context, [...beginning, { do: 'close' }]);
  }
  if (memory.known !== null && compareRevisions(revision, memory.known) < 0) {
    return regress(plan, memory, revision, context, [...beginning, { do: 'close' }, { do: 'listAbort' }]);
  }
  return [
    {
      at: 'watching',
      memory: {
        ...memory,
        known: revision,
        listed: true,
        shortWatches: 0,
        healthySince: memory.healthySince ?? context.now,
      },
      revision,
      timeoutMs: state.timeoutMs,
      openedAt: context.now,
      heardAt: context.now,
      events: 0,
    },
    [
      ...beginning,
      { do: 'listEnd', revision },
      { do: 'status', status: { at: 'watching', connected: true } },
      { do: 'wakeAt', at: context.now + context.options.idleMs },
    ],
  ];
}

/** The request was refused or broke, or the stream said so in an ERROR event: the ladder of WL-S4. */
export function failed(state: Streaming, failure: Failure, context: Context, before: readonly Effect[]): Step {
  const { plan, memory } = state;
  const leave = [...before, ...aborting(state)];
  if (isExpired(failure) || isTooLarge(failure)) {
    if (state.asked !== '') {
      const note: Effect = { do: 'note', note: { what: 'restarted', failure } };
      return enterList({ ...plan, anyRevision: true }, memory, context, [...leave, note]);
    }
    return down(state, failure, context, leave);
  }
  if (failure.kind !== 'answer') return cut(state, failure, context, before);
  if (isThrottled(failure)) {
    return backOff({ during: 'stream', failure, next: { go: 'list', plan } }, memory, context, leave);
  }
  return down(state, failure, context, leave);
}

/** The server ended the stream before the end bookmark; half a list is no list (WL-S4). */
export function ended(state: Streaming, context: Context): Step {
  const message = 'The streaming list ended before its initial events were complete';
  return cut(state, { kind: 'malformed', message }, context, []);
}

export function wake(state: Streaming, context: Context): Step {
  const { options, now } = context;
  const silentMs = now - state.heardAt;
  const boundMs = state.open ? options.streamIdleMs : options.openMs;
  if (silentMs >= boundMs) {
    const failure: Failure = { kind: 'silent', message: `Nothing was heard from a streaming list for ${Math.round(silentMs / 1000)} s` };
    return cut(state, failure, context, [{ do: 'close' }]);
  }
  const at = Math.min(now + options.lateBookmarkMs, state.heardAt + boundMs);
  const note: Effect = { do: 'note', note: { what: 'lateBookmark', events: state.events, silentMs } };
  return [state, [note, { do: 'wakeAt', at }]];
}

/** A lost delete makes the half list useless; a list by pages cannot meet such an event. */
export function deleteLost(state: Streaming, context: Context): Step {
  const failure: Failure = { kind: 'malformed', message: 'A DELETED event has no readable object' };
  return cut(state, failure, context, [{ do: 'close' }]);
}

export function resync(state: Streaming, reason: ResyncReason, context: Context): Step {
  if (reason === 'audit') return [state, []];
  const wish = state.plan.reason === 'regressed' ? 'regressed' : reason;
  const memory = reason === 'regressed' ? { ...state.memory, known: null } : state.memory;
  return enterList(newPlan(wish, memory, context.options), memory, context, [{ do: 'close' }, ...aborting(state)]);
}

/** A stream that was open and broke counts towards giving streaming up; one that never opened is only tried again. */
function cut(state: Streaming, failure: Failure, context: Context, before: readonly Effect[]): Step {
  const { memory } = state;
  const leave = [...before, ...aborting(state)];
  const cutStreams = state.plan.cutStreams + (state.open ? 1 : 0);
  const counted = { ...state.plan, cutStreams };
  const plan = cutStreams >= CUT_STREAMS ? fallBack(counted, memory, context.options) : counted;
  return backOff({ during: 'stream', failure, next: { go: 'list', plan } }, memory, context, leave);
}

function down(state: Streaming, failure: Failure, context: Context, leave: readonly Effect[]): Step {
  const plan = fallBack(state.plan, state.memory, context.options);
  const note: Effect = { do: 'note', note: { what: 'fallback', from: 'streaming', to: plan.mode, failure } };
  return enterList(plan, state.memory, context, [...leave, note]);
}
