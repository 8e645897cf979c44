/** What somebody has or expects. */
export interface SizingQuestion {
  readonly objects: number;
  readonly changesPerSecond: number;
  /** Of one write, in milliseconds. */
  readonly storageMs: number;
  /** Of an object as JSON. */
  readonly objectBytes: number;
  /** Writes at once; undefined to have it advised. */
  readonly concurrency?: number | undefined;
}

/** What the model says. Times in milliseconds, memory in MiB. */
export interface Sizing {
  /** Writes at once, advised or given. */
  readonly concurrency: number;
  /** Writes under way at once on average, when no change waits for a worker. */
  readonly busy: number;
  /** Share of the capacity that is asked for. Above 1 changes wait, and fold until what is left can be written. */
  readonly load: number;
  readonly writesPerSecond: number;
  /** How long an object waits for a worker, while all goes on as it is; and how many wait. */
  readonly waitMs: number;
  readonly waiting: number;
  /** From a change until storage has that state or a newer one: on average, and at the worst. */
  readonly lagMs: number;
  readonly longestLagMs: number;
  /** Workers of a kind that has all these changes: where storage only costs waiting, and where a worker writes batches. */
  readonly workers: number;
  readonly batchWorkers: number;
  /** Resident, of the whole process. */
  readonly memoryMiB: number;
}

/** Of the capacity is used when it may be chosen: a burst and a slow hour of storage find room. */
export const TARGET_LOAD = 0.7;
/** Writes that one worker has under way where storage only costs waiting, and rows of one write elsewhere: the product's own numbers. */
export const LANES = 60;
export const BATCH = 100;
/** Default of `cache.pendingBytes`: bodies that wait take no more than this. */
const PENDING_MIB = 128;
/** Resident at rest, with the default pools: a mirror over SQLite took 147, 215 and 287 MiB with 184, 24,064 and 72,064 objects of 4 KiB. */
export const BASE_MIB = 180;
export const OBJECT_BYTES = 1_600;
/** Fewer are not worth advising: they are the product's default. */
const LEAST_WORKERS = 4;
const MIB = 2 ** 20;

/**
 * The model. N objects change at random, R times a second over all. One object is in one worker's hands at a time, for L. Changes fold while it waits; what
 * changes while it is written is written once more. So each object goes round: clean until it changes, waiting for W, under way for L.
 */
export function adviseSize({ objects, changesPerSecond, storageMs, objectBytes, concurrency: given }: SizingQuestion): Sizing {
  const seconds = storageMs / 1000;
  const perObject = changesPerSecond / objects;
  /** The chance that nothing happens to an object while it is written. */
  const calm = Math.exp(-perObject * seconds);
  const shortestRound = seconds + calm / perObject;
  const busy = (objects / shortestRound) * seconds;
  const concurrency = given ?? Math.ceil(busy / TARGET_LOAD);
  const round = Math.max(shortestRound, (objects * seconds) / concurrency);
  const wait = round - shortestRound;
  const writesPerSecond = objects / round;
  const waiting = wait * writesPerSecond;
  // Of the changes of one round: the first one, those while it waits, those while it is written.
  const lag = (calm * (wait + seconds) + perObject * wait * (wait / 2 + seconds) + perObject * seconds * (1.5 * seconds + wait)) / (perObject * round);
  const bodies = Math.min(PENDING_MIB, ((waiting + Math.min(busy, concurrency)) * objectBytes) / MIB);
  return {
    ...{ concurrency, busy, load: busy / concurrency, writesPerSecond, waiting },
    waitMs: wait * 1000,
    lagMs: lag * 1000,
    longestLagMs: (wait + 2 * seconds) * 1000,
    workers: Math.max(LEAST_WORKERS, Math.ceil(concurrency / LANES)),
    batchWorkers: Math.max(LEAST_WORKERS, Math.ceil(concurrency / BATCH)),
    memoryMiB: BASE_MIB + (objects * OBJECT_BYTES) / MIB + bodies,
  };
}
