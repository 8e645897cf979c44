import type { Random } from '../kit/random.ts';

/** Chance, in the words of a simulation. */
export class Draw {
  readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  chance(share: number): boolean {
    return this.random.next() < share;
  }

  /** A whole number in [least, most]. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.random.next() * (most - least + 1));
  }

  /** As whole(), and small more often than large. */
  small(least: number, most: number): number {
    return least + Math.floor(this.random.next() ** 3 * (most - least + 1));
  }

  of<T>(items: readonly T[]): T {
    return items[Math.floor(this.random.next() * items.length)] as T;
  }

  /** By weight; the weights need no sum. */
  weighted<T>(items: readonly (readonly [weight: number, item: T])[]): T {
    let left = this.random.next() * items.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, item] of items) {
      left -= weight;
      if (left < 0) return item;
    }
    return (items.at(-1) as readonly [number, T])[1];
  }
}
