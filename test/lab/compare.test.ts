import { describe, expect, test } from 'vitest';
import { compareStrategies } from '../../src/lab/compare.ts';
import { comparisonPage } from '../../src/lab/report/page.ts';
import { comparisonText } from '../../src/lab/report/text.ts';

const CHOICE = { loads: ['hot-object'], strategies: ['serial', 'parallel', 'folding'], storages: ['memory'], rounds: 2, seed: 3, quick: true, command: 'here' };

describe('a comparison', () => {
  test.each([1, 2])('has the runs of all contestants in the order of its plan, says how far it is, and is JSON; on %i cores', async (cores) => {
    const said: string[] = [];
    const comparison = await compareStrategies({ ...CHOICE, cores, signal: new AbortController().signal, onProgress: (text) => said.push(text) });
    expect(comparison).toMatchObject({ isComplete: true, seeds: [3, 4], command: 'here', growth: [] });
    expect(comparison.runs.map(({ strategy, seed }) => `${strategy} ${seed}`)).toEqual([
      ...['serial 3', 'parallel 3', 'folding 3', 'parallel 4', 'folding 4', 'serial 4'],
    ]);
    expect(comparison.rows.map(({ strategy, rounds }) => `${strategy} ${rounds}`)).toEqual(['serial 2', 'parallel 2', 'folding 2']);
    expect(comparison.loads).toEqual([{ name: 'hot-object', summary: 'Every change is of one and the same object.', objects: 1 }]);
    expect(JSON.parse(JSON.stringify(comparison))).toEqual(comparison);
    expect(said[0]).toMatch(/^1 of 6 · \d+ s · round 1 · hot-object · memory · serial$/);
    expect(said.some((text) => /^6 of 6 · .* writes · \d+ behind$/.test(text))).toBe(true);
  });

  test('that is ended early is about the runs that were made, and says so everywhere', async () => {
    const ending = new AbortController();
    const onProgress = (text: string): void => {
      if (text.startsWith('2 of 6')) ending.abort();
    };
    const comparison = await compareStrategies({ ...CHOICE, cores: 2, signal: ending.signal, onProgress });
    expect(comparison).toMatchObject({ isComplete: false });
    expect(comparison.runs.map(({ strategy }) => strategy)).toEqual(['serial', 'parallel']);
    expect(comparisonText(comparison)).toContain('Ended early');
    expect(comparisonPage(comparison)).toContain('ended early');
  });

  test('of which nothing was run is still a report', async () => {
    const comparison = await compareStrategies({ ...CHOICE, signal: AbortSignal.abort() });
    expect(comparison.runs).toEqual([]);
    expect(comparison.findings.every(({ isMet }) => isMet === null)).toBe(true);
    expect(comparisonPage(comparison)).toContain('not shown');
  });
});
