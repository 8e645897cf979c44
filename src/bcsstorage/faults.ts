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

/** When an effect applies. Without limits it does until it is removed. */
export interface FaultRule {
  readonly effect: Effect;
  /** Default: all. */
  readonly methods?: readonly string[];
  /** A part of the path, decoded: `/Pod/`, `/events`. Default: all. */
  readonly path?: string;
  /** The share of matching requests that it hits, in (0, 1]. */
  readonly share?: number;
  /** How many requests it hits; then it is gone. A burst. */
  readonly times?: number;
}

export interface Latency {
  /** Every request takes at least so long; it is committed at the end of this time. */
  readonly ms: number;
  /** Up to so much more, at random, evenly. */
  readonly jitterMs: number;
}

interface ActiveRule {
  readonly rule: FaultRule;
  left: number;
}

/** The switches by which the service misbehaves. All of them may be changed while it runs. */
export class Faults {
  readonly #random: Random;
  readonly #active = new Set<ActiveRule>();
  #latency: Latency = { ms: 0, jitterMs: 0 };

  constructor(random: Random) {
    this.#random = random;
  }

  /** Returns how to take the rule away again. Throws UsageError for a rule that cannot be meant. */
  add(rule: FaultRule): () => void {
    checkRule(rule);
    const active = { rule, left: rule.times ?? Number.POSITIVE_INFINITY };
    this.#active.add(active);
    return () => void this.#active.delete(active);
  }

  /** Replaces the latency of every request. Throws UsageError. */
  setLatency(ms: number, jitterMs = 0): void {
    if (!(ms >= 0) || !(jitterMs >= 0)) throw new UsageError(`The latency and its jitter must be numbers >= 0, current values are ${ms} and ${jitterMs}`);
    this.#latency = { ms, jitterMs };
  }

  /** Everything off. */
  clear(): void {
    this.#active.clear();
    this.#latency = { ms: 0, jitterMs: 0 };
  }

  list(): readonly FaultRule[] {
    return [...this.#active].map(({ rule, left }) => (Number.isFinite(left) ? { ...rule, times: left } : rule));
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
    if (this.#active.size === 0) return [];
    const effects: Effect[] = [];
    for (const active of this.#active) {
      const { rule } = active;
      if (rule.methods?.includes(method) === false || (rule.path !== undefined && !path.includes(rule.path))) continue;
      if (rule.share !== undefined && this.#random.next() >= rule.share) continue;
      effects.push(rule.effect);
      active.left -= 1;
      if (active.left <= 0) this.#active.delete(active);
    }
    return effects;
  }
}

const isTime = (when: unknown): boolean => when === 'before' || when === 'after';
const isCount = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 1;

const EFFECTS: Readonly<Record<Effect['type'], (effect: Record<string, unknown>) => boolean>> = {
  status: ({ status, body }) =>
    Number.isInteger(status) && Number(status) >= 200 && Number(status) < 600 && [undefined, 'failure', 'text', 'success'].includes(body as string),
  refuse: () => true,
  delay: ({ ms, when }) => Number(ms) >= 0 && isTime(when),
  reset: ({ when }) => isTime(when),
  hang: ({ when }) => isTime(when),
  'slow-body': ({ bytes, everyMs }) => isCount(bytes) && Number(everyMs) >= 0,
  'wrong-body': ({ form }) => form === 'html' || form === 'half' || form === 'empty',
};

function checkRule({ effect, times, share }: FaultRule): void {
  const isKnown = typeof effect === 'object' && effect !== null && Object.hasOwn(EFFECTS, effect.type);
  if (!isKnown)
    throw new UsageError(`Unknown fault: "effect.type" must be one of ${Object.keys(EFFECTS).join(', ')}, current value is ${JSON.stringify(effect?.type)}`);
  if (!EFFECTS[effect.type]({ ...effect })) throw new UsageError(`Fault "${effect.type}" lacks a value or has a wrong one: ${JSON.stringify(effect)}`);
  if (times !== undefined && !isCount(times)) throw new UsageError(`Fault "times" must be an integer >= 1, current value is ${times}`);
  if (share !== undefined && !(share > 0 && share <= 1)) throw new UsageError(`Fault "share" must be in (0, 1], current value is ${share}`);
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
  checkRule(rule);
  return rule;
}
