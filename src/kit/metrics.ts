/** The three instruments the rooms record into. `app-metrics.ts` makes them of prom-client; tests hand in plain objects. */
export interface Counter {
  inc(by?: number): void;
}
export interface Gauge {
  set(value: number): void;
}
export interface Histogram {
  observe(value: number): void;
}

const nothing = { inc() {}, set() {}, observe() {} };
export const noCounter: Counter = nothing;
export const noGauge: Gauge = nothing;
export const noHistogram: Histogram = nothing;
