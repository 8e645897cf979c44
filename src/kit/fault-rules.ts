import { UsageError } from '../model/errors.ts';
import type { Random } from './random.ts';

/** A rule by which a server that is made to misbehave does so; when else it applies is the server's own. Without limits it does until it is removed. */
export interface LimitedFault<Effect> {
  readonly effect: Effect;
  /** How many requests it hits; then it is gone. A burst. */
  readonly times?: number;
  /** The share of matching requests that it hits, in (0, 1]. */
  readonly share?: number;
}

/** For every type of effect, whether the fields of one make sense. */
export type EffectChecks<Type extends string> = Readonly<Record<Type, (effect: Record<string, unknown>) => boolean>>;

/** The rules that are in force. */
export abstract class FaultRules<Effect extends { readonly type: string }, Rule extends LimitedFault<Effect>> {
  readonly #random: Random;
  readonly #checks: EffectChecks<Effect['type']>;
  readonly #active = new Set<{ readonly rule: Rule; left: number }>();

  constructor(random: Random, checks: EffectChecks<Effect['type']>) {
    this.#random = random;
    this.#checks = checks;
  }

  /** Returns how to take the rule away again. Throws UsageError for a rule that cannot be meant. */
  add(rule: Rule): () => void {
    checkFault(rule, this.#checks);
    const active = { rule, left: rule.times ?? Number.POSITIVE_INFINITY };
    this.#active.add(active);
    return () => void this.#active.delete(active);
  }

  clear(): void {
    this.#active.clear();
  }

  /** Rules still active, for people. */
  list(): readonly Rule[] {
    return [...this.#active].map(({ rule, left }) => (Number.isFinite(left) ? { ...rule, times: left } : rule));
  }

  /** The effects that hit a request, of the rules that apply to it; counts them. */
  protected hitBy(applies: (rule: Rule) => boolean): readonly Effect[] {
    if (this.#active.size === 0) return [];
    const effects: Effect[] = [];
    for (const active of this.#active) {
      const { rule } = active;
      if (!applies(rule)) continue;
      if (rule.share !== undefined && this.#random.next() >= rule.share) continue;
      effects.push(rule.effect);
      active.left -= 1;
      if (active.left <= 0) this.#active.delete(active);
    }
    return effects;
  }
}

/** Throws UsageError for a rule that cannot be meant. */
export function checkFault<Effect extends { readonly type: string }>(
  { effect, times, share }: LimitedFault<Effect>,
  checks: EffectChecks<Effect['type']>,
): void {
  // Rules come as JSON, too.
  const isKnown = typeof effect === 'object' && effect !== null && Object.hasOwn(checks, effect.type);
  if (!isKnown)
    throw new UsageError(`Unknown fault: "effect.type" must be one of ${Object.keys(checks).join(', ')}, current value is ${JSON.stringify(effect?.type)}`);
  if (!checks[effect.type as Effect['type']]({ ...effect }))
    throw new UsageError(`Fault "${effect.type}" lacks a value or has a wrong one: ${JSON.stringify(effect)}`);
  if (times !== undefined && !(Number.isInteger(times) && times >= 1)) throw new UsageError(`Fault "times" must be an integer >= 1, current value is ${times}`);
  if (share !== undefined && !(share > 0 && share <= 1)) throw new UsageError(`Fault "share" must be in (0, 1], current value is ${share}`);
}
