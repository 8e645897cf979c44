import { type EffectChecks, FaultRules, type LimitedFault } from '../kit/fault-rules.ts';
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

export interface FaultRule extends LimitedFault<Effect> {
  /** Default: all. */
  readonly verbs?: readonly Verb[];
  /** `pods`, `deployments.apps`; default: all. */
  readonly kinds?: readonly string[];
  /** Only requests that carry a continue token: `expired` on these is a page chain that breaks. */
  readonly continued?: boolean;
}

export interface FaultedRequest {
  readonly verb: Verb;
  readonly kind: string;
  readonly continued: boolean;
}

const EFFECTS: EffectChecks<Effect['type']> = {
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

/** The switches by which the hollow cluster misbehaves. */
export class Faults extends FaultRules<Effect, FaultRule> {
  constructor(random: Random) {
    super(random, EFFECTS);
  }

  override add(rule: FaultRule): () => void {
    for (const verb of rule.verbs ?? [])
      if (!VERBS.includes(verb)) throw new UsageError(`Fault "verbs" must be some of ${VERBS.join(', ')}, current value has ${JSON.stringify(verb)}`);
    return super.add(rule);
  }

  /** The effects that hit this request; counts them. */
  hit({ verb, kind, continued }: FaultedRequest): readonly Effect[] {
    return this.hitBy(
      (rule) => rule.verbs?.includes(verb) !== false && rule.kinds?.includes(kind) !== false && (rule.continued === undefined || rule.continued === continued),
    );
  }
}
