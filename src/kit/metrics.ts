/** The instruments that rooms record into; `tallies.ts` has plain ones, tests may hand in their own. */
export interface Counter {
  inc(by?: number): void;
}
export interface Histogram {
  observe(value: number): void;
}
