import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compareStrategies, type Comparison } from '../../../src/lab/compare.ts';
import { measureGrowth } from '../../../src/lab/growth.ts';
import { comparisonPage } from '../../../src/lab/report/page.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { launchChromium } from '../../web/browser.ts';

const CHARTS = ['backlog', 'drain', 'writes', 'latency', 'memory', 'growth'];

const dir = tempDir('report');
let browser: Browser;
let comparison: Comparison;
let page: Page;
const faults: string[] = [];

beforeAll(async () => {
  const compared = await compareStrategies({
    ...{ loads: ['ladder-352', 'ladder-1164', 'hot-object', 'storms'], strategies: ['parallel', 'partitioned', 'folding'], storages: ['memory'] },
    ...{ rounds: 2, seed: 1, quick: false, command: 'kubefold bench strategies --load "<b>1</b>"', signal: new AbortController().signal },
  });
  comparison = { ...compared, growth: await measureGrowth([1_000, 2_000], () => true, 48) };
  writeFileSync(dir.file('report.html'), comparisonPage(comparison));
  browser = await launchChromium();
  const context = await browser.newContext({ offline: true, viewport: { width: 1_400, height: 900 } });
  page = await context.newPage();
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`thrown: ${error.message}`));
  page.on('request', (request) => {
    if (request.url() !== pathToFileURL(dir.file('report.html')).href) faults.push(`asked for ${request.url()}`);
  });
  await page.goto(pathToFileURL(dir.file('report.html')).href);
});
afterAll(async () => {
  await browser.close();
  dir.remove();
});

/** Colors in a canvas, other than nothing at all; a chart with axes, grid and lines has many. */
const colorsOf = (id: string): Promise<number> =>
  page.evaluate(`(() => {
    const canvas = document.getElementById(${JSON.stringify(id)});
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const pixels = new Uint32Array(copy.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    return new Set(pixels.filter((pixel) => pixel !== 0)).size;
  })()`);
/** What the library itself says that it shows: the names of lines or bars, each with the number of its points. */
const shownIn = (id: string): Promise<Record<string, number>> =>
  page.evaluate(
    `Object.fromEntries(Chart.getChart(document.getElementById(${JSON.stringify(id)})).data.datasets.map(({ label, data }) => [label, data.filter((point) => point !== null).length]))`,
  );

describe('the report of a comparison, opened as a file without a network', () => {
  test('draws every chart, with a line or bars for each contestant', async () => {
    expect(await page.locator('canvas').evaluateAll((all) => all.map(({ id }) => id))).toEqual(CHARTS);
    for (const id of CHARTS) expect(await colorsOf(id), id).toBeGreaterThan(20);
    expect(await shownIn('writes')).toEqual({ parallel: 2, partitioned: 2, folding: 2 });
    expect(await shownIn('drain')).toMatchObject({ partitioned: 2, folding: 2, 'serial, published': 6, 'partitioned, published': 7 });
    expect((await shownIn('backlog'))['partitioned']).toBeGreaterThan(20);
    expect(await shownIn('growth')).toMatchObject({
      'time for one change': 2,
      'time, objects in random order': 2,
      'the same, less the look-up in a plain Map': 2,
      'memory of a waiting change': 2,
    });
  });

  test('shows another load when it is chosen', async () => {
    const before = await shownIn('backlog');
    await page.locator('select[data-chart="backlog"]').selectOption('hot-object, memory');
    const after = await shownIn('backlog');
    expect(Object.keys(after)).toEqual(Object.keys(before));
    expect(after).not.toEqual(before);
    expect(await colorsOf('backlog')).toBeGreaterThan(20);
  });

  test('is red in the column of correctness where rows ended wrong, and nowhere else', async () => {
    const wrong = comparison.rows.filter(({ wrongRows }) => wrongRows > 0).map(({ target, load, strategy }) => `${target}/${load}/${strategy}`);
    expect(wrong).toContain('memory/hot-object/parallel');
    const cells: { readonly run: string; readonly color: string; readonly text: string }[] = await page.evaluate(
      `[...document.querySelectorAll('#results tr[data-run] td.wrong')].map((cell) =>
        ({ run: cell.parentElement.dataset.run, color: getComputedStyle(cell).backgroundColor, text: cell.textContent }))`,
    );
    expect(cells).toHaveLength(comparison.rows.length);
    const isRed = (color: string): boolean => {
      const [red = 0, green = 0, blue = 0] = (color.match(/\d+/g) ?? []).map(Number);
      return red > 150 && green < 80 && blue < 80;
    };
    expect(cells.filter(({ color }) => isRed(color)).map(({ run }) => run)).toEqual(wrong);
    for (const { run, text } of cells) expect(text, run).toMatch(wrong.includes(run) ? /^[1-9][\d,]* wrong$/ : /^0$/);
  });

  test('has a title over every column, and the figures of its row below them', async () => {
    const cells = (selector: string): Promise<number[]> => page.locator(selector).evaluateAll((all) => all.map(({ children }) => children.length));
    const [titles] = await cells('#results thead tr');
    expect(new Set(await cells('#results tr[data-run]'))).toEqual(new Set([titles]));
    const columns = await page.locator('#results thead th').allInnerTexts();
    const [row] = comparison.rows;
    const shown = await page.locator('#results tr[data-run] >> nth=0').locator('td').allInnerTexts();
    const under = (title: string): string | undefined => shown[columns.findIndex((text) => text.replaceAll(/\s+/g, ' ') === title)];
    expect([under('strategy'), under('writers'), under('changes'), under('writes'), under('per change'), under('discarded')]).toEqual([
      ...[row?.strategy, String(row?.consumers), row?.changes.toLocaleString('en-US'), row?.writes.toLocaleString('en-US')],
      ...[row?.writesPerChange.toFixed(2), String(row?.discarded)],
    ]);
  });

  test('has what anybody could reach beside what was seen, load by load', async () => {
    const rows = await page.locator('#reach tbody tr').evaluateAll((all) => all.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent)));
    expect(rows.map(([load]) => load)).toEqual(['ladder-352', 'ladder-1164', 'hot-object', 'storms']);
    for (const row of rows) expect(row).toHaveLength(await page.locator('#reach thead th').count());
    const [, partitions, folding, , perfect, , least] = (rows[1] ?? []).map(Number);
    expect(partitions).toBeGreaterThan(30);
    expect(Math.abs((folding ?? Number.NaN) / (perfect ?? Number.NaN) - 1)).toBeLessThan(0.1);
    expect(least).toBeLessThan(perfect ?? Number.NaN);
  });

  test('has the published figures beside ours', async () => {
    const rows = await page
      .locator('#published tbody tr')
      .evaluateAll((all) => all.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent)));
    expect(rows).toHaveLength(13);
    const [, , , , , drain, implied, ours] = rows.find(([design, offered]) => design === '30 partitions' && offered === '1,164') ?? [];
    expect(drain).toBe('45');
    expect(Math.abs(Number(ours) / Number(implied) - 1)).toBeLessThan(0.25);
  });

  test('says on what machine, with which versions and seeds and by which command it was made, and shows text as text', async () => {
    const circumstances = await page.locator('#circumstances').innerText();
    for (const part of [comparison.machine.cpu, `Node ${process.version}`, 'kubefold ', '1, 2', '--load "<b>1</b>"']) expect(circumstances).toContain(part);
    expect(await page.locator('#circumstances b').count()).toBe(0);
  });

  test('asks for nothing but itself, and nothing in it fails', () => {
    expect(faults).toEqual([]);
  });
});
