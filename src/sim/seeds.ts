import { makePlan } from './plan.ts';
import { simulate } from './simulation.ts';

/** What was asked of one seed. */
export interface SeedOptions {
  /** About how many mutations a seed makes. */
  readonly changes: number;
}

/** What came of one seed, as it is handed from one process to another. */
export interface SeedResult {
  readonly seed: number;
  readonly mutations: number;
  readonly writes: number;
  readonly virtualMs: number;
  readonly digest: string;
  readonly failure: string | null;
}

const LENGTHS = [0.25, 0.5, 1, 2.25];

/** Seeds differ in length as well: the named number is the mean. */
export function changesOf(seed: number, mean: number): number {
  return Math.round(mean * (LENGTHS[seed % LENGTHS.length] ?? 1));
}

export async function runSeed(seed: number, { changes }: SeedOptions): Promise<SeedResult> {
  const { mutations, writes, virtualMs, digest, failure } = await simulate(makePlan(seed, changesOf(seed, changes)));
  return { seed, mutations, writes, virtualMs, digest, failure };
}
