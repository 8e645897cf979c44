import { describe, expect, test } from 'vitest';
import { STRATEGY_NAMES } from '../../../src/lab/strategy/strategies.ts';
import { strategyContract } from './contract.ts';
import { StrategyWorld } from './world.ts';

for (const name of STRATEGY_NAMES) describe(name, () => strategyContract(name));

describe('the designs side by side', () => {
  test('differ in what they say they cannot do', () => {
    const table = Object.fromEntries(STRATEGY_NAMES.map((name) => [name, Object.keys(new StrategyWorld(name).strategy.cannot).sort()]));
    expect(table).toEqual({
      serial: ['bounded backlog', 'folding', 'independence'],
      parallel: ['bounded backlog', 'folding', 'order'],
      partitioned: ['bounded backlog', 'folding', 'independence', 'nothing lost'],
      'partitioned-keeping': ['bounded backlog', 'folding', 'independence'],
      folding: [],
      'folding-batches': [],
      'folding-defaults': [],
    });
  });

  test('the partitioned one folds before its partitions, as the program does: keys that wait for a feeder are one snapshot', async () => {
    const world = new StrategyWorld('partitioned-keeping', { consumers: 1, capacity: 1, storage: () => ({ ms: 1_000 }) });
    // One is under way, one waits in the partition, five are in the hands of feeders; the rest wait as keys.
    for (let round = 0; round < 10; round++) {
      for (let index = 0; index < 20; index++) world.change(`pod-${index}`);
      await world.pass(10);
    }
    await world.untilIdle();
    expect(world.books).toMatchObject({ wrong: 0, orderViolations: 0 });
    // Twenty objects, and seven snapshots that were older than the last round.
    expect(world.books.writes).toBe(27);
  });

  test('the folding one reads a body again that found no room, and loses nothing by it', async () => {
    const world = new StrategyWorld('folding', { consumers: 4, storage: () => ({ ms: 50 }) });
    for (let index = 0; index < 90; index++) world.change(`pod-${index}`, undefined, 1_000_000);
    await world.untilIdle();
    expect(world.reads).toBeGreaterThan(0);
    expect(world.books).toMatchObject({ wrong: 0, uncovered: 0, writes: 90 });
  });
});
