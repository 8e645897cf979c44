import type { Plan, Step } from './plan.ts';
import { simulate } from './simulation.ts';

/** Enough for a few thousand steps; beyond it the plan is as small as it got. */
const MOST_RUNS = 400;

/**
 * The smallest plan found that fails by the same invariant: whole stretches of steps are left out, then single ones, as long as it still fails
 * (delta debugging). `steps` is how many the first run took.
 */
export async function shrink(plan: Plan, failure: string, steps: number, onProgress: (left: number) => void = () => {}): Promise<Plan> {
  const invariant = numberOf(failure);
  let runs = 0;
  let best: Plan = { ...plan, steps: plan.steps.slice(0, steps) };
  const fails = async (candidate: Plan): Promise<boolean> => {
    runs++;
    const result = await simulate(candidate);
    return result.failure !== null && numberOf(result.failure) === invariant;
  };
  // What failed at rest needs no later step; a failure on the way may need the time that passes at the end.
  if (!(await fails(best))) best = plan;
  for (let size = Math.ceil(best.steps.length / 2); size >= 1 && runs < MOST_RUNS; ) {
    let isSmaller = false;
    for (let at = 0; at < best.steps.length && runs < MOST_RUNS; ) {
      const candidate: Plan = { ...best, steps: without(best.steps, at, size) };
      if (await fails(candidate)) {
        best = candidate;
        isSmaller = true;
        onProgress(best.steps.length);
      } else {
        at += size;
      }
    }
    if (!isSmaller || size > best.steps.length) {
      if (size === 1) break;
      size = Math.max(1, Math.min(Math.floor(size / 2), Math.ceil(best.steps.length / 2)));
    }
  }
  return best;
}

function without(steps: readonly Step[], at: number, count: number): readonly Step[] {
  return [...steps.slice(0, at), ...steps.slice(at + count)];
}

/** Failures begin with the number of the invariant (SPEC.md). */
function numberOf(failure: string): string {
  return failure.slice(0, failure.indexOf(':'));
}
