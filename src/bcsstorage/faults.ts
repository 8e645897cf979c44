import { checkFault, type EffectChecks, FaultRules, type LimitedFault } from '../kit/fault-rules.ts';
import type { Random } from '../kit/random.ts';
import { UsageError } from '../model/errors.ts';

/**
 * What goes wrong with a request. `before` and `after` are meant of the commit: what happens after it is done, but the client does not learn it.
 * - `status`: that HTTP status, with Retry-After when given. The body is an envelope of failure, plain text, or (`success`, after the commit) one of success.
 * - `refuse`: HTTP 200 and `result: false`, nothing committed.
 * - `delay`: so many milliseconds more.
 * - `reset`: the connection is cut.
 * - `hang`: no answer, ever; the connection stays until the client leaves.
 * - `slow-body`: the answer arrives in parts of so many bytes, one every so many milliseconds.
 * - `wrong-body`: HTTP 200 with a page of HTML, with half of the answer and a clean end, or with nothing; committed.
 */
export type Effect =
  | { readonly type: 'status'; readonly status: number; readonly retryAfterSeconds?: number; readonly body?: 'failure' | 'text' | 'success' }
  | { readonly type: 'refuse' }
  | { readonly type: 'delay'; readonly ms: number; readonly when: 'before' | 'after' }
  | { readonly type: 'reset'; readonly when: 'before' | 'after' }
  | { readonly type: 'hang'; readonly when: 'before' | 'after' }
  | { readonly type: 'slow-body'; readonly bytes: number; readonly everyMs: number }
  | { readonly type: 'wrong-body'; readonly form: 'html' | 'half' | 'empty' };

export interface FaultRule extends LimitedFault<Effect> {
  /** Default: all. */
  readonly methods?: readonly string[];
  /** A part of the path, decoded: `/Pod/`, `/events`. Default: all. */
  readonly path?: string;
}

export interface Latency {
  /** Every request takes at least so long; it is committed at the end of this time. */
  readonly ms: number;
  /** Up to so much more, at random, evenly. */
  readonly jitterMs: number;
}

const isTime = (when: unknown): boolean => when === 'before' || when === 'after';
const isCount = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 1;

const EFFECTS: EffectChecks<Effect['type']> = {
  status: ({ status, body }) =>
    Number.isInteger(status) && Number(status) >= 200 && Number(status) < 600 && [undefined, 'failure', 'text', 'success'].includes(body as string),
  refuse: () => true,
  delay: ({ ms, when }) => Number(ms) >= 0 && isTime(when),
  reset: ({ when }) => isTime(when),
  hang: ({ when }) => isTime(when),
  'slow-body': ({ bytes, everyMs }) => isCount(bytes) && Number(everyMs) >= 0,
  'wrong-body': ({ form }) => form === 'html' || form === 'half' || form === 'empty',
};

/** The switches by which the service misbehaves. All of them may be changed while it runs. */
export class Faults extends FaultRules<Effect, FaultRule> {
  readonly #random: Random;
  #latency: Latency = { ms: 0, jitterMs: 0 };

  constructor(random: Random) {
    super(random, EFFECTS);
    this.#random = random;
  }

  /** Replaces the latency of every request. Throws UsageError. */
  setLatency(ms: number, jitterMs = 0): void {
    if (!(ms >= 0) || !(jitterMs >= 0)) throw new UsageError(`The latency and its jitter must be numbers >= 0, current values are ${ms} and ${jitterMs}`);
    this.#latency = { ms, jitterMs };
  }

  /** Everything off, the latency too. */
  override clear(): void {
    super.clear();
    this.#latency = { ms: 0, jitterMs: 0 };
  }

  get latency(): Latency {
    return this.#latency;
  }

  /** How long this request has to take. */
  latencyMs(): number {
    const { ms, jitterMs } = this.#latency;
    return jitterMs === 0 ? ms : ms + jitterMs * this.#random.next();
  }

  /** The effects that hit this request; counts them. */
  hit(method: string, path: string): readonly Effect[] {
    return this.hitBy((rule) => rule.methods?.includes(method) !== false && (rule.path === undefined || path.includes(rule.path)));
  }
}

/** The faults that a command line can name, each with what its value means. */
const NAMED: Readonly<Record<string, Effect>> = {
  refuse: { type: 'refuse' },
  'reset-before': { type: 'reset', when: 'before' },
  'reset-after': { type: 'reset', when: 'after' },
  'hang-before': { type: 'hang', when: 'before' },
  'hang-after': { type: 'hang', when: 'after' },
  'slow-body': { type: 'slow-body', bytes: 16, everyMs: 20 },
  'body-html': { type: 'wrong-body', form: 'html' },
  'body-half': { type: 'wrong-body', form: 'half' },
  'body-empty': { type: 'wrong-body', form: 'empty' },
};

export const FAULT_NAMES = ['a status from 400 to 599', ...Object.keys(NAMED)].join(', ');

/** `NAME=SHARE`, or `NAME=xN` for the first N requests; 429 and 503 may add `:SECONDS` of Retry-After. Throws UsageError. */
export function parseFault(text: string): FaultRule {
  const found = /^([a-z0-9-]+)=(x?)([0-9.]+)(?::([0-9]+))?$/.exec(text);
  if (found === null)
    throw new UsageError(`A fault is NAME=SHARE or NAME=xN, with :SECONDS for Retry-After, found ${JSON.stringify(text)}. Names: ${FAULT_NAMES}.`);
  const [, name = '', burst, value = '', seconds] = found;
  const number = Number(value);
  const amount = burst === 'x' ? { times: number } : { share: number };
  const status = /^[45][0-9][0-9]$/.test(name) ? Number(name) : null;
  const named = Object.hasOwn(NAMED, name) ? NAMED[name] : undefined;
  if (status === null && named === undefined) throw new UsageError(`There is no fault ${JSON.stringify(name)}. Names: ${FAULT_NAMES}.`);
  if (seconds !== undefined && status === null) throw new UsageError(`Only a status can have Retry-After, found ${JSON.stringify(text)}.`);
  const effect: Effect | undefined =
    status === null ? named : { type: 'status', status, ...(seconds === undefined ? {} : { retryAfterSeconds: Number(seconds) }) };
  const rule: FaultRule = { effect: effect ?? { type: 'refuse' }, ...amount };
  checkFault(rule, EFFECTS);
  return rule;
}
