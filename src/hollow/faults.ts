import type { Random } from '../kit/random.ts';
import { UsageError } from '../model/errors.ts';

export const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'discovery'] as const;
export type Verb = (typeof VERBS)[number];

/**
 * What goes wrong with a request:
 * - `reject`: answered with `status` and a Status body, or with the plain text of priority and fairness (`text: true`); Retry-After only when given.
 * - `expired`: 410, as an HTTP answer or (watch only) as an ERROR event under HTTP 200.
 * - `forbid`: 403, as a missing right.
 * - `stall`: headers arrive, nothing after them; `hang`: not even headers.
 * - `slow`: the answer begins after so many milliseconds.
 * - `split`: the body arrives in chunks of so many bytes.
 * - `truncate`: the body ends after so many bytes, by a reset or by a clean end.
 * - `wrong-content`: 200 with something else than was asked for.
 */
export type Effect =
  | { readonly type: 'reject'; readonly status: number; readonly retryAfterSeconds?: number; readonly text?: boolean }
  | { readonly type: 'expired'; readonly form: 'http' | 'event' }
  | { readonly type: 'forbid' }
  | { readonly type: 'stall' }
  | { readonly type: 'hang' }
  | { readonly type: 'slow'; readonly ms: number }
  | { readonly type: 'split'; readonly bytes: number }
  | { readonly type: 'truncate'; readonly afterBytes: number; readonly end: 'reset' | 'clean' }
  | { readonly type: 'wrong-content'; readonly form: 'table' | 'html' };

/** When an effect applies. Without limits it does until it is removed. */
export interface FaultRule {
  readonly effect: Effect;
  /** Default: all. */
  readonly verbs?: readonly Verb[];
  /** `pods`, `deployments.apps`; default: all. */
  readonly kinds?: readonly string[];
  /** How many requests it hits. */
  readonly times?: number;
  /** The share of matching requests that it hits, in (0, 1]. */
  readonly share?: number;
  /** Only requests that carry a continue token: `expired` on these is a page chain that breaks. */
  readonly continued?: boolean;
}

export interface FaultedRequest {
  readonly verb: Verb;
  readonly kind: string;
  readonly continued: boolean;
}

interface ActiveRule {
  readonly rule: FaultRule;
  left: number;
}

/** The switches by which the hollow cluster misbehaves. */
export class Faults {
  readonly #random: Random;
  readonly #active = new Set<ActiveRule>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** Returns how to take the rule away again. Throws UsageError for a rule that cannot be meant. */
  add(rule: FaultRule): () => void {
    check(rule);
    const active = { rule, left: rule.times ?? Number.POSITIVE_INFINITY };
    this.#active.add(active);
    return () => void this.#active.delete(active);
  }

  clear(): void {
    this.#active.clear();
  }

  /** Rules still active, for people. */
  list(): readonly FaultRule[] {
    return [...this.#active].map(({ rule, left }) => (Number.isFinite(left) ? { ...rule, times: left } : rule));
  }

  /** The effects that hit this request; counts them. */
  hit(request: FaultedRequest): readonly Effect[] {
    if (this.#active.size === 0) return [];
    const effects: Effect[] = [];
    for (const active of this.#active) {
      const { rule } = active;
      if (rule.verbs?.includes(request.verb) === false || rule.kinds?.includes(request.kind) === false) continue;
      if (rule.continued !== undefined && rule.continued !== request.continued) continue;
      if (rule.share !== undefined && this.#random.next() >= rule.share) continue;
      effects.push(rule.effect);
      active.left -= 1;
      if (active.left <= 0) this.#active.delete(active);
    }
    return effects;
  }
}

const EFFECTS: Readonly<Record<Effect['type'], (effect: Record<string, unknown>) => boolean>> = {
  reject: ({ status }) => Number.isInteger(status) && Number(status) >= 400 && Number(status) < 600,
  expired: ({ form }) => form === 'http' || form === 'event',
  forbid: () => true,
  stall: () => true,
  hang: () => true,
  slow: ({ ms }) => Number(ms) > 0,
  split: ({ bytes }) => Number.isInteger(bytes) && Number(bytes) >= 1,
  truncate: ({ afterBytes, end }) => Number.isInteger(afterBytes) && (end === 'reset' || end === 'clean'),
  'wrong-content': ({ form }) => form === 'table' || form === 'html',
};

function check(rule: FaultRule): void {
  const { effect, verbs, times, share } = rule;
  const isKnown = typeof effect === 'object' && effect !== null && Object.hasOwn(EFFECTS, effect.type);
  if (!isKnown)
    throw new UsageError(`Unknown fault: "effect.type" must be one of ${Object.keys(EFFECTS).join(', ')}, current value is ${JSON.stringify(effect?.type)}`);
  if (!EFFECTS[effect.type]({ ...effect })) throw new UsageError(`Fault "${effect.type}" lacks a value or has a wrong one: ${JSON.stringify(effect)}`);
  for (const verb of verbs ?? [])
    if (!VERBS.includes(verb)) throw new UsageError(`Fault "verbs" must be some of ${VERBS.join(', ')}, current value has ${JSON.stringify(verb)}`);
  if (times !== undefined && !(Number.isInteger(times) && times >= 1)) throw new UsageError(`Fault "times" must be an integer >= 1, current value is ${times}`);
  if (share !== undefined && !(share > 0 && share <= 1)) throw new UsageError(`Fault "share" must be in (0, 1], current value is ${share}`);
}
