import { BATCH, BASE_MIB, LANES, OBJECT_BYTES, type Sizing, type SizingQuestion, TARGET_LOAD } from '../sizing.ts';
import type { SizingCheck } from '../sizing-check.ts';
import { seconds, whole } from './figures.ts';

/** The product's default of limits.storage.concurrency. */
const DEFAULT_CONCURRENCY = 256;

export function sizingText(question: SizingQuestion, advice: Sizing, check: SizingCheck | null): string {
  const { objects, changesPerSecond, storageMs, objectBytes, concurrency: given } = question;
  const { concurrency, busy, load, writesPerSecond, waiting, waitMs, lagMs, longestLagMs, workers, batchWorkers, memoryMiB } = advice;
  const isBehind = load > 1;
  const rows: readonly (readonly [string, string])[] = [
    [
      'writes at once',
      `${whole(concurrency)}${given === undefined ? `: ${busy.toFixed(1)} are busy on average, and ${(TARGET_LOAD * 100).toFixed(0)} % of them shall be` : ', as given'}`,
    ],
    ['workers', `${workers} where storage only costs waiting (${LANES} writes each), ${batchWorkers} where a worker writes batches of ${BATCH}`],
    ['writes a second', `${whole(writesPerSecond)}, ${(writesPerSecond / changesPerSecond).toFixed(2)} for each change`],
    [
      'lag',
      `${seconds(lagMs)} s on average, ${seconds(longestLagMs)} s at the longest: each object waits ${seconds(waitMs)} s and is written in ${seconds(storageMs)} s`,
    ],
    [
      'waiting',
      `${whole(waiting)} objects${isBehind ? `: ${(load * 100).toFixed(0)} % of what ${whole(concurrency)} writes at once can do is asked for, so changes fold while they wait` : ''}`,
    ],
    ['memory', `${whole(memoryMiB)} MiB resident`],
  ];
  const limit = concurrency > DEFAULT_CONCURRENCY ? `\n  limits: { storage: { concurrency: ${concurrency} } }   # default ${DEFAULT_CONCURRENCY}` : '';
  return `${whole(objects)} objects of ${whole(objectBytes)} bytes, ${whole(changesPerSecond)} changes a second, ${whole(storageMs)} ms a write

${table(rows)}
  workers: { default: ${workers} }${limit}

How this is computed, with N objects, R changes a second, L seconds a write, C writes at once:
  c = exp(-R L / N)                   the chance that an object stays as it is while it is written
  T0 = L + c N / R                    one round of an object that never waits: written, clean, changed
  busy = N L / T0                     writes under way; advised is C = busy / ${TARGET_LOAD}
  T = max(T0, N L / C)                one round as it is; writes a second = N / T
  W = T - T0                          how long an object waits; N W / T objects do
  lag = (c (W + L) + R/N W (W/2 + L) + R/N L (3/2 L + W)) / (R/N T), at the longest W + 2 L
  memory = ${BASE_MIB} MiB + N * ${OBJECT_BYTES} bytes + bodies of what waits or is written, at most 128 MiB
Changes come evenly over the objects; what is concentrated on fewer of them folds more, and needs less.
${check === null ? '' : checkText(advice, check)}`;
}

function checkText({ writesPerSecond, lagMs, longestLagMs, waiting, concurrency, busy }: Sizing, check: SizingCheck): string {
  const rows: readonly (readonly [string, string])[] = [
    ['writes a second', `${whole(check.writesPerSecond)}, predicted ${whole(writesPerSecond)}`],
    [
      'lag',
      `half within ${seconds(check.medianLagMs)} s, all within ${seconds(check.longestLagMs)} s; predicted ${seconds(lagMs)} s on average, ${seconds(longestLagMs)} s at the longest`,
    ],
    ['backlog', `${whole(check.backlog)} at the end, predicted ${whole(waiting + Math.min(busy, concurrency))}`],
  ];
  return `\nA run of the laboratory, ${whole(check.changes)} changes on the virtual clock, seed ${check.seed}, latency within 20 % of L:\n${table(rows)}`;
}

function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}\n`).join('');
}
