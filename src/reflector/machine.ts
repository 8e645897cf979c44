import { FRESH_MEMORY, enterList, enterWatch, newPlan } from './enter.ts';
import * as listing from './listing.ts';
import * as streaming from './streaming.ts';
import * as watching from './watching.ts';
import type { Context, Effect, Idle, Input, Memory, ResyncReason, State, Step, Waiting } from './state.ts';

/**
 * The reflector as a pure machine: a state and an input in, the next state and what to do out. It reads no clock, opens
 * no socket and writes no log; SPEC.md draws it and numbers its invariants.
 *
 *                 start ┌─────────┐ last page      ┌──────────┐
 *   ┌──────┐ ──────────►│ listing ├───────────────►│          │ ended, failed,
 *   │ idle │            └──▲───┬──┘                │ watching ├──────────────┐
 *   └──┬───┘   each other's│   │fallback           │          │              │
 *      │       ┌───────────┴───▼─┐ end bookmark    │          │              │
 *      │       │    streaming    ├────────────────►│          │              │
 *      │       └───────▲─────────┘                 └────▲─────┘              │
 *      │ start with a  │ list        ┌─────────┐  watch │                    │
 *      │ revision      └─────────────┤ waiting ├────────┘◄── any failure ────┘
 *      └───────────────► watching    └─────────┘            (and those of listing and streaming)
 *
 *   `stop` leads from everywhere to stopped; `resync` from everywhere to a list.
 */
export const START: State = { at: 'idle', owed: null };

type Cell<S extends State['at'], I extends Input['type']> = (state: Extract<State, { at: S }>, input: Extract<Input, { type: I }>, context: Context) => Step;

type Row<S extends State['at']> = { readonly [I in Input['type']]: Cell<S, I> };

/** Every state with every input; the compiler refuses a missing cell. */
export type Table = { readonly [S in State['at']]: Row<S> };

/** The words of a request that is no longer ours, or an input that has no meaning here: nothing changes. */
const ignore = (state: State): Step => [state, []];

export const TABLE: Table = {
  idle: {
    start: (state, input, context) => {
      const memory: Memory = { ...FRESH_MEMORY, known: input.revision, listed: input.revision !== null };
      if (input.revision !== null && state.owed === null) return enterWatch(input.revision, memory, context, []);
      const wish = state.owed ?? 'first';
      const known = wish === 'regressed' ? null : memory.known;
      return enterList(newPlan(wish, memory, context.options), { ...memory, known }, context, []);
    },
    resync: (state, input) => [{ ...state, owed: stronger(state, input.reason) }, []],
    stop: () => [{ at: 'stopped' }, []],
    room: ignore,
    opened: ignore,
    pageDone: ignore,
    heard: ignore,
    initialEnd: ignore,
    errorEvent: ignore,
    deleteLost: ignore,
    failed: ignore,
    ended: ignore,
    wake: ignore,
    reached: ignore,
  },
  listing: {
    room: (state, _input, context) => listing.room(state, context),
    opened: (state, _input, context) => listing.opened(state, context),
    heard: (state, _input, context) => listing.heard(state, context),
    pageDone: (state, input, context) => listing.pageDone(state, input, context),
    failed: (state, input, context) => listing.failed(state, input.failure, context),
    wake: (state, _input, context) => listing.wake(state, context),
    reached: ignore,
    resync: (state, input, context) => listing.resync(state, input.reason, context),
    stop: (state) => stopping(listing.aborting(state)),
    start: ignore,
    initialEnd: ignore,
    errorEvent: ignore,
    deleteLost: ignore,
    ended: ignore,
  },
  streaming: {
    opened: (state, _input, context) => streaming.opened(state, context),
    heard: (state, input, context) => streaming.heard(state, input, context),
    initialEnd: (state, input, context) => streaming.initialEnd(state, input, context),
    errorEvent: (state, input, context) => streaming.failed(state, input.failure, context, [{ do: 'close' }]),
    deleteLost: (state, _input, context) => streaming.deleteLost(state, context),
    failed: (state, input, context) => streaming.failed(state, input.failure, context, []),
    ended: (state, _input, context) => streaming.ended(state, context),
    wake: (state, _input, context) => streaming.wake(state, context),
    reached: ignore,
    resync: (state, input, context) => streaming.resync(state, input.reason, context),
    stop: (state) => stopping(listing.aborting(state)),
    start: ignore,
    room: ignore,
    pageDone: ignore,
  },
  watching: {
    opened: (state, _input, context) => watching.opened(state, context),
    heard: (state, input, context) => watching.heard(state, input, context),
    // A second end bookmark is a bookmark.
    initialEnd: (state, input, context) => watching.heard(state, { type: 'heard', revision: input.revision, events: 0, bookmark: false }, context),
    errorEvent: (state, input, context) => watching.errorEvent(state, input.failure, context),
    deleteLost: (state, _input, context) => watching.deleteLost(state, context),
    failed: (state, input, context) => watching.failed(state, input.failure, context),
    ended: (state, _input, context) => watching.ended(state, context),
    wake: (state, _input, context) => watching.wake(state, context),
    reached: ignore,
    resync: (state, input, context) => watching.resync(state, input.reason, context),
    stop: () => stopping([]),
    start: ignore,
    room: ignore,
    pageDone: ignore,
  },
  waiting: {
    wake: (state, _input, context) => {
      if (context.now < state.until) return [state, [{ do: 'wakeAt', at: state.until }]];
      const { next, memory } = state;
      switch (next.go) {
        case 'watch':
          return enterWatch(next.from, memory, context, []);
        case 'list':
          return enterList(next.plan, memory, context, []);
        case 'page': {
          const { reason } = next.listing.plan;
          const status: Effect = { do: 'status', status: { at: 'listing', reason, streaming: false } };
          return [{ ...next.listing, memory, heardAt: context.now }, [status, { do: 'awaitRoom' }]];
        }
      }
    },
    // Not all at once; and what waits for another reason goes on waiting.
    reached: (state, _input, context) => {
      const until = context.now + context.options.reachedJitterMs * context.random;
      return state.memory.isAway && until < state.until ? [{ ...state, until }, [{ do: 'wakeAt', at: until }]] : [state, []];
    },
    // The wait itself stays: it protects the server, whatever is asked next.
    resync: (state, input, context) => {
      if (input.reason === 'audit' && state.next.go !== 'watch') return [state, []];
      const wish = reasonOf(state) === 'regressed' ? 'regressed' : input.reason;
      const memory: Memory = wish === 'regressed' ? { ...state.memory, known: null } : state.memory;
      const plan = newPlan(wish, memory, context.options);
      return [{ ...state, memory, next: { go: 'list', plan } }, leaving(state)];
    },
    stop: (state) => stopping(leaving(state)),
    start: ignore,
    room: ignore,
    opened: ignore,
    pageDone: ignore,
    heard: ignore,
    initialEnd: ignore,
    errorEvent: ignore,
    deleteLost: ignore,
    failed: ignore,
    ended: ignore,
  },
  stopped: {
    start: ignore,
    room: ignore,
    opened: ignore,
    pageDone: ignore,
    heard: ignore,
    initialEnd: ignore,
    errorEvent: ignore,
    deleteLost: ignore,
    failed: ignore,
    ended: ignore,
    wake: ignore,
    reached: ignore,
    resync: ignore,
    stop: ignore,
  },
};

/** One step. The effects must be carried out in order before the next input is given. */
export function step(state: State, input: Input, context: Context): Step {
  // The table's type proves that the cell fits; TypeScript cannot follow two tags at once.
  const cell = TABLE[state.at][input.type] as (state: State, input: Input, context: Context) => Step;
  return cell(state, input, context);
}

function stopping(before: readonly Effect[]): Step {
  return [{ at: 'stopped' }, [{ do: 'close' }, ...before]];
}

/** A wait between two pages holds a list open. */
function leaving(state: Waiting): readonly Effect[] {
  return state.next.go === 'page' ? listing.aborting(state.next.listing) : [];
}

function reasonOf(state: Waiting): string | null {
  switch (state.next.go) {
    case 'watch':
      return null;
    case 'list':
      return state.next.plan.reason;
    case 'page':
      return state.next.listing.plan.reason;
  }
}

function stronger(state: Idle, reason: ResyncReason): Idle['owed'] {
  return state.owed === 'regressed' || (reason === 'audit' && state.owed !== null) ? state.owed : reason;
}
