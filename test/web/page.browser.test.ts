import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { KindStatus, MirrorStatus } from '../../src/model/status.ts';
import { startWeb } from '../../src/web/server.ts';
import type { Web } from '../../src/web/server.ts';
import { spawn } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';
import { launchChromium } from './browser.ts';
import { NO_DECISIONS } from './no-decisions.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

const pages: Page[] = [];
afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
});

/** Opens the page and keeps everything it does that a status page must not do. */
async function open(url: string, options: Parameters<Browser['newPage']>[0] = {}): Promise<{ readonly page: Page; readonly faults: string[] }> {
  const page = await browser.newPage(options);
  pages.push(page);
  const faults: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`thrown: ${error.message}`));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== url) faults.push(`asked elsewhere: ${request.url()}`);
  });
  await page.goto(`${url}/`);
  return { page, faults };
}

const textOf = (page: Page, selector: string): Promise<string> => page.locator(selector).innerText();
const kindsOf = (page: Page): Promise<string[][]> =>
  page.locator('#kinds tr').evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent)));

describe('the status page of a demo', () => {
  test('becomes current, shows every kind and the flow, and asks nobody but its own server', async () => {
    using dir = tempDir('page');
    const args = [
      'src/main.ts',
      'demo',
      '--pods',
      '300',
      '--nodes',
      '5',
      '--churn',
      '200',
      '--listen',
      '127.0.0.1:0',
      '--storage',
      `sqlite:${dir.file('copy.db')}`,
    ];
    const child = spawn(process.execPath, args, { cwd: ROOT, withinMs: 90_000 });
    try {
      const [, url = ''] = await child.printed(/status page +(http:\S+)/, { on: 'stderr' });
      const { page, faults } = await open(url);
      await page.locator('#age', { hasText: 'current' }).waitFor();
      await page.locator('#phase', { hasText: 'live' }).waitFor();
      expect(await textOf(page, '#cluster')).toBe('demo');

      const status = (await (await fetch(`${url}/status.json`)).json()) as MirrorStatus;
      const rows = await kindsOf(page);
      expect(rows.map(([id]) => id).toSorted()).toEqual(status.kinds.map(({ id }) => id).toSorted());
      expect(rows.find(([id]) => id === 'pods')?.slice(1, 3)).toEqual(['watching', '300']);

      // Two looks at the metrics make a rate; changes that come in at 200 a second are written.
      await page.locator('#flow', { hasText: '→' }).waitFor();
      await page.waitForFunction("/^[1-9][0-9,]* → [1-9]/.test(document.getElementById('flow').textContent)");
      expect(await textOf(page, '#latency')).toMatch(/^≤ [\d.]+ m?s · [\d.]+ m?s$/);
      for (const id of ['age-chart', 'flow-chart', 'latency-chart', 'unsettled-chart']) {
        expect(await page.locator(`#${id} polyline`).first().getAttribute('points'), id).toMatch(/^\d+,[\d.]+/);
      }
      expect(await textOf(page, '#left-out')).toBe('2 kinds left out');
      expect(faults).toEqual([]);

      await child.stop();
      await page.locator('#phase', { hasText: 'no answer' }).waitFor();
      expect((await kindsOf(page)).length).toBe(rows.length);
    } finally {
      await child.stop();
    }
  });
});

const kind = (over: Partial<KindStatus>): KindStatus => ({
  ...{
    id: 'pods',
    state: 'watching',
    objects: 1_234_567,
    unsettled: 0,
    complete: true,
    parked: 0,
    firstParked: null,
    held: 0,
    heldSince: null,
    firstHeld: null,
    damaged: 0,
    error: null,
    httpStatus: null,
  },
  ...{ oldestPendingMs: 0, heardAt: 0, silentMs: 0, watermark: '77', lagRevisions: 0, lagMs: 0, ageMs: 0, workers: 4, ...over },
});

describe('the status page of a mirror in trouble', () => {
  let web: Web;
  let status: MirrorStatus;
  beforeAll(async () => {
    const metrics = async (): Promise<{ text: string; contentType: string }> => ({ text: '', contentType: 'text/plain' });
    web = await startWeb({ host: '127.0.0.1', port: 0, status: () => status, metrics, control: NO_DECISIONS, secured: null });
  });
  afterAll(() => web.close());

  const trouble: MirrorStatus = {
    ...{ cluster: 'c<b>1</b>', address: 'api.example:443', phase: 'syncing', error: null, isRefused: false, pendingBytes: 0 },
    storage: { open: false, since: null, failingMs: 0, error: null },
    audit: { everySeconds: 300, off: null, last: null },
    kinds: [
      kind({}),
      kind({
        id: 'ingresses.networking.k8s.io',
        state: 'waiting',
        complete: false,
        objects: 0,
        error: 'forbidden: <img src=x onerror=alert(1)>',
        httpStatus: 403,
      }),
      kind({ id: 'nodes', objects: 5, ageMs: 125_000, parked: 2, held: 1_234 }),
    ],
    left: [{ id: 'secrets', why: 'Secrets are off by default' }],
    broken: [{ groupVersion: 'metrics.k8s.io/v1', error: 'unavailable' }],
    warnings: ['a rule names foos, which do not exist'],
  };

  test('puts what waits first, with its reason, and says what is not complete', async () => {
    status = trouble;
    const { page, faults } = await open(web.url);
    await page.locator('#kinds tr').first().waitFor();
    const rows = await kindsOf(page);
    expect(rows.map(([id]) => id)).toEqual(['ingresses.networking.k8s.io', 'pods', 'nodes']);
    expect(rows[0]).toEqual(['ingresses.networking.k8s.io', 'waiting', '0', '0', 'not complete', '77', '4', 'forbidden: <img src=x onerror=alert(1)>']);
    expect(rows[1]?.[2]).toBe('1,234,567');
    expect(rows[2]?.slice(4)).toEqual(['125 s', '77', '4', '2 parked, 1,234 deletions held: kubefold confirm nodes']);
    expect(await textOf(page, '#age')).toBe('2 of 3 kinds');
    expect(await textOf(page, '#notes')).toBe('metrics.k8s.io/v1 cannot be discovered: unavailable\na rule names foos, which do not exist');
    await page.locator('summary').click();
    expect(await textOf(page, '#left')).toBe('secrets: Secrets are off by default');
    expect(faults).toEqual([]);
  });

  test('shows text from the cluster as text', async () => {
    status = trouble;
    const { page } = await open(web.url);
    await page.locator('#kinds tr').first().waitFor();
    expect(await textOf(page, '#cluster')).toBe('c<b>1</b>');
    expect(await page.locator('img, #cluster b').count()).toBe(0);
  });

  test('says that it connects while there is nothing to show, and goes on by itself', async () => {
    status = { ...trouble, phase: 'connecting', kinds: [], broken: [], warnings: [], error: 'connection refused' };
    const { page } = await open(web.url);
    await page.locator('#phase', { hasText: 'connecting' }).waitFor();
    expect(await textOf(page, '#notes')).toBe('connection refused');
    status = { ...trouble, phase: 'live', kinds: [kind({})], broken: [], warnings: [] };
    await page.locator('#age', { hasText: 'current' }).waitFor();
    expect(await page.locator('#notes').isVisible()).toBe(false);
  });

  test.each(['light', 'dark'] as const)('fits a telephone and a desk, and is readable in %s', async (colorScheme) => {
    status = trouble;
    for (const width of [390, 1280]) {
      const { page } = await open(web.url, { colorScheme, viewport: { width, height: 800 } });
      await page.locator('#kinds tr').first().waitFor();
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), `${width} px`).toBe(true);
      const tooPale = (await page.evaluate(CONTRAST)) as string[];
      expect(tooPale).toEqual([]);
    }
  });
});

/** Texts whose contrast with the card or page behind them is under 4.5 (WCAG 2 AA), run in the page. */
const CONTRAST = `(() => {
  const rgb = (color) => (color.match(/[0-9.]+/g) ?? []).map(Number);
  const luminance = (color) => {
    const [r, g, b] = rgb(color).slice(0, 3).map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (rgb(color)[3] !== 0) return color;
    }
    return 'rgb(255,255,255)';
  };
  const texts = [...document.querySelectorAll('h1, small, p, b, span, th, td, #notes, summary')].filter((element) => element.textContent.trim() !== '');
  return texts.flatMap((element) => {
    const [a, b] = [luminance(getComputedStyle(element).color), luminance(ground(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    return ratio < 4.5 ? [element.textContent + ': ' + ratio.toFixed(2)] : [];
  });
})()`;
