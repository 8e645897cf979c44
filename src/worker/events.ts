import type { Outcome } from '../model/outcome.ts';
import type { Write } from '../storage/storage.ts';

/** What the pool tells about its work; metrics are made of it. */
export interface WorkerEvents {
  settled(op: Write['type'], outcome: Outcome['kind']): void;
  /** Seconds from the receipt of the oldest change a write covers until it was durable. */
  stored(seconds: number): void;
  /** Seconds from when the oldest sampled change that a put covers was written in the cluster until it was durable; never less than 0. */
  writtenToStored(seconds: number): void;
}
