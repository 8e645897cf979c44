import { describe, expect, test } from 'vitest';
import { loadOf } from '../../src/lab/load/loads.ts';
import { runStrategy } from '../../src/lab/run.ts';
import { tempDir } from '../support/temp-dir.ts';

const load = (name: string, changesPerSecond = 150): ReturnType<typeof loadOf> =>
  loadOf(name, { durationMs: 1_500, changesPerSecond, objects: name === 'hot-object' ? undefined : 40 });

describe('the HTTP service as a storage of runs', () => {
  test.each(['serial', 'partitioned', 'folding', 'folding-defaults'] as const)('ends right with %s, by what the service itself holds', async (strategy) => {
    const result = await runStrategy({ strategy, load: load('storms'), target: 'http', clock: 'real', latencyMs: 20, consumers: 10 });
    expect(result).toMatchObject({ wrongRows: 0, orderViolations: 0, target: 'http', latencyMs: 20, failed: 0 });
    expect(result.changes).toBe(225);
    if (strategy === 'serial') expect(result.writes).toBe(225);
    expect(result.p50Ms).toBeGreaterThanOrEqual(16);
    expect(result.exactMs).not.toBeNull();
  });

  test('sees parallel step back, in the order of its own commits', async () => {
    const result = await runStrategy({
      strategy: 'parallel',
      load: load('hot-object', 300),
      target: 'http',
      clock: 'real',
      latencyMs: 20,
      jitter: 0.9,
      consumers: 10,
    });
    expect(result.orderViolations).toBeGreaterThan(0);
    expect(result.writes).toBe(450);
  });

  test('holds what was there before a run', async () => {
    const result = await runStrategy({ strategy: 'folding', load: load('hot-set'), target: 'http', clock: 'real', latencyMs: 10 });
    expect(result).toMatchObject({ storedBefore: 40, wrongRows: 0, uncovered: 0 });
  });
});

describe('SQLite as a storage of runs', () => {
  test.each(['serial', 'parallel', 'partitioned', 'folding', 'folding-batches'] as const)('ends right with %s', async (strategy) => {
    using folder = tempDir();
    const result = await runStrategy({ strategy, load: load('storms', 60), target: 'sqlite', clock: 'real', folder: folder.path });
    expect(result).toMatchObject({ wrongRows: 0, target: 'sqlite', latencyMs: null });
    expect(result.changes).toBe(90);
    expect(result.writes + result.refused).toBeLessThanOrEqual(90);
  });

  test('holds what was there before a run', async () => {
    using folder = tempDir();
    const result = await runStrategy({ strategy: 'folding-defaults', load: load('hot-set'), target: 'sqlite', clock: 'real', folder: folder.path });
    expect(result).toMatchObject({ storedBefore: 40, wrongRows: 0, uncovered: 0 });
  });
});
