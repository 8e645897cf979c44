import { memoryInUse } from '../kit/heap.ts';
import type { Sample } from './result.ts';

/** Samples that are kept of a run. */
export const SAMPLES = 400;
/** The first ones are so far apart; when there are too many of them, every second one goes. */
const FIRST_EVERY_MS = 100;

/** Looks at a run from time to time: backlog over time, the highest memory. */
export class Meter {
  #everyMs = FIRST_EVERY_MS;
  #samples: Sample[] = [];
  #nextAt = 0;
  readonly #memoryBefore: number;
  #memoryMost: number;
  readonly #cpuBefore: NodeJS.CpuUsage;

  constructor() {
    this.#memoryBefore = memoryInUse();
    this.#memoryMost = this.#memoryBefore;
    this.#cpuBefore = process.threadCpuUsage();
  }

  /** When it wants to look again. */
  get nextAt(): number {
    return this.#nextAt;
  }

  look(sample: Sample): void {
    this.weigh();
    this.#samples.push(sample);
    if (this.#samples.length >= SAMPLES) {
      this.#samples = this.#samples.filter((_, index) => index % 2 === 0);
      this.#everyMs *= 2;
    }
    this.#nextAt = sample.atMs + this.#everyMs;
  }

  weigh(): void {
    this.#memoryMost = Math.max(this.#memoryMost, memoryInUse());
  }

  get samples(): readonly Sample[] {
    return this.#samples;
  }

  get cpuSeconds(): number {
    const { user, system } = process.threadCpuUsage(this.#cpuBefore);
    return (user + system) / 1e6;
  }

  get peakMemoryMiB(): number {
    return Math.max(0, this.#memoryMost - this.#memoryBefore) / 2 ** 20;
  }
}
