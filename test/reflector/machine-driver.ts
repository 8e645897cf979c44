import { step, START } from '../../src/reflector/machine.ts';
import type { Failure } from '../../src/reflector/failure.ts';
import { DEFAULT_OPTIONS, type ReflectorOptions } from '../../src/reflector/options.ts';
import type { Effect, Input, State } from '../../src/reflector/state.ts';

/** Tells a story to the machine: inputs in, effects remembered, time moved by hand. */
export class MachineDriver {
  state: State;
  now = 1_000_000;
  random = 0;
  readonly options: ReflectorOptions;
  effects: readonly Effect[] = [];
  readonly history: Effect[] = [];

  constructor(options: Partial<ReflectorOptions> = {}, state: State = START) {
    this.options = { ...DEFAULT_OPTIONS, ...options };
    this.state = state;
  }

  give(...inputs: readonly Input[]): this {
    for (const input of inputs) {
      const [state, effects] = step(this.state, input, { now: this.now, random: this.random, options: this.options });
      this.state = state;
      this.effects = effects;
      this.history.push(...effects);
    }
    return this;
  }

  after(ms: number, ...inputs: readonly Input[]): this {
    this.now += ms;
    return this.give(...inputs);
  }

  /** Lets the wait run out; answers how long it was. */
  waitOut(): number {
    if (this.state.at !== 'waiting') throw new Error(`Cannot wait: the machine is ${this.state.at}`);
    const ms = this.state.until - this.now;
    this.after(ms, { type: 'wake' });
    return ms;
  }

  /** The effects of the last input, by name. */
  get did(): readonly string[] {
    return this.effects.filter((effect) => effect.do !== 'wakeAt' && effect.do !== 'status' && effect.do !== 'note').map((effect) => effect.do);
  }

  /** Every list and watch query so far, in short: `list limit=500`, `watch 10`, `stream 10`. */
  get requests(): readonly string[] {
    return this.history.flatMap((effect) => {
      if (effect.do === 'page') {
        const { limit, continue: token, resourceVersion } = effect.query;
        return [
          `list${limit === undefined ? '' : ` limit=${limit}`}${token === undefined ? '' : ` continue=${token}`}${resourceVersion === undefined ? '' : ` rv=${resourceVersion}`}`,
        ];
      }
      if (effect.do !== 'watch') return [];
      return [`${effect.query.sendInitialEvents === true ? 'stream' : 'watch'} "${effect.query.resourceVersion}"`];
    });
  }

  /** What the sink was told about lists. */
  get lists(): readonly string[] {
    return this.history.flatMap((effect) => {
      if (effect.do === 'listBegin') return [`begin ${effect.reason}`];
      if (effect.do === 'listEnd') return [`end ${effect.revision}`];
      return effect.do === 'listAbort' ? ['abort'] : [];
    });
  }
}

export const start = (revision: string | null = null): Input => ({ type: 'start', revision });
export const room: Input = { type: 'room' };
export const opened: Input = { type: 'opened' };
export const ended: Input = { type: 'ended' };
export const wake: Input = { type: 'wake' };
export const reached: Input = { type: 'reached' };
export const stop: Input = { type: 'stop' };
export const page = (revision: string, token: string | null = null): Input => ({ type: 'pageDone', revision, continue: token });
export const heard = (revision: string | null, events = 1): Input => ({ type: 'heard', revision, events, bookmark: false });
export const bookmark = (revision: string): Input => ({ type: 'heard', revision, events: 0, bookmark: true });
export const initialEnd = (revision: string): Input => ({ type: 'initialEnd', revision });
export const failed = (failure: Failure): Input => ({ type: 'failed', failure });
export const errorEvent = (failure: Failure): Input => ({ type: 'errorEvent', failure });

export function answer(
  status: number,
  more: { readonly reason?: string; readonly message?: string; readonly causes?: readonly string[]; readonly retryAfterMs?: number } = {},
): Failure {
  return {
    kind: 'answer',
    status,
    reason: more.reason ?? '',
    message: more.message ?? `answer ${status}`,
    causes: more.causes ?? [],
    retryAfterMs: more.retryAfterMs ?? null,
  };
}

export const REFUSED: Failure = { kind: 'network', code: 'ECONNREFUSED', message: 'connection refused' };
export const RESET: Failure = { kind: 'network', code: 'ECONNRESET', message: 'connection reset' };
export const EXPIRED = answer(410, { reason: 'Expired', message: 'too old resource version: 298 (303)' });
export const TOO_LARGE = answer(504, { reason: 'Timeout', causes: ['ResourceVersionTooLarge'] });
export const THROTTLED = answer(429);

/** A machine that watches from `revision`, opened, after one short list. */
export function watchingFrom(revision: string, options: Partial<ReflectorOptions> = {}): MachineDriver {
  return new MachineDriver(options).give(start(), room, opened, page(revision), opened);
}
