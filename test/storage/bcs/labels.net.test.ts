import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createApp } from '../../../src/app.ts';
import { hurriedClock } from '../../../src/bench/child/hurried-clock.ts';
import type { WriteEntry } from '../../../src/bcsstorage/journal.ts';
import { type BcsStorage as Service, startBcsStorage } from '../../../src/bcsstorage/server.ts';
import { loadCredentials } from '../../../src/cluster/credentials.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { seedCluster } from '../../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../../src/hollow/server.ts';
import { createLogger } from '../../../src/kit/log.ts';
import { seededRandom, systemRandom } from '../../../src/kit/random.ts';
import { openReader } from '../../../src/storage/open.ts';
import { kubefold } from '../../commands/kubefold.ts';
import { type TempDir, tempDir } from '../../support/temp-dir.ts';
import { until } from '../../support/until.ts';

const PODS = 40;

let hollow: Hollow;
let service: Service;
let dir: TempDir;
const journal: WriteEntry[] = [];

beforeEach(async () => {
  journal.length = 0;
  dir = tempDir('bcs-labels');
  hollow = await startHollow();
  seedCluster(hollow, { pods: PODS, nodes: 2, namespaces: 2, bytes: 1_500, apps: false });
  service = await startBcsStorage({ checksRevisions: false, random: seededRandom(3), onWrite: (entry) => void journal.push(entry) });
});
afterEach(async () => {
  await hollow.close();
  await service.close();
  dir.remove();
});

/** The whole program in this process, which follows its file, on a clock that goes 20 times as fast. */
async function start(rule: object): Promise<{ configure(rule: object): void; audited(): Promise<number>; stop(): Promise<void> }> {
  const textOf = (more: object): string =>
    JSON.stringify({
      cluster: { name: 'prod' },
      // The clock hurries the time limit of a request, too.
      storage: { url: `bcs+${service.url}`, timeoutSeconds: 60 },
      kinds: ['pods', 'namespaces'],
      listen: 'off',
      audit: { everySeconds: 10 },
      resources: [{ kinds: ['pods'], ...more }],
    });
  const clock = hurriedClock(20);
  const path = dir.file('kubefold.yaml');
  const text = textOf(rule);
  writeFileSync(path, text);
  writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
  const app = await createApp({
    config: loadConfig({ text, file: path }),
    file: { path, text, flags: {} },
    credentials: await loadCredentials({ kubeconfig: dir.file('kubeconfig'), env: {}, home: dir.path, clock }),
    clock,
    random: systemRandom,
    log: await createLogger({ level: 'error', format: 'json', write: () => {} }),
  });
  const ending = new AbortController();
  const ended = app.run(ending.signal);
  return {
    configure: (more) => writeFileSync(path, textOf(more)),
    /** How many rows a whole round of the audit found to be other than they should. */
    async audited() {
      const before = app.status().audit.last?.finishedAt ?? 0;
      const next = (than: number): Promise<unknown> => until('a round of the audit is over', () => (app.status().audit.last?.finishedAt ?? 0) > than);
      // The first that ends may have begun before.
      await next(before);
      await next(app.status().audit.last?.finishedAt ?? 0);
      return app.status().audit.last?.drift ?? -1;
    },
    stop: async () => {
      ending.abort();
      await ended;
    },
  };
}

/** How many pods are stored with each value of the label. */
async function stored(): Promise<Readonly<Record<string, number>>> {
  const reader = openReader(`bcs+${service.url}`);
  const counts: Record<string, number> = {};
  for (const { body } of await reader.list({ cluster: 'prod', kind: 'pods', limit: 1_000 })) {
    const value = String(JSON.parse(Buffer.from(body).toString()).metadata.labels?.cluster ?? 'none');
    counts[value] = (counts[value] ?? 0) + 1;
  }
  await reader.close();
  return counts;
}

async function allAre(value: string): Promise<void> {
  await until(`all pods have the label ${value}`, async () => {
    expect(await stored()).toEqual({ [value]: PODS });
    return true;
  });
}

const puts = (): number => journal.filter(({ key, method }) => method === 'PUT' && key.includes('/Pod/')).length;

test('labels that a rule sets are in every document, and one that changes while the mirror runs is written anew', async () => {
  const one = await start({ setLabels: { cluster: 'member-1' } });
  await allAre('member-1');
  expect(await one.audited()).toBe(0);
  expect(puts()).toBe(PODS);
  one.configure({ setLabels: { cluster: 'member-2' } });
  await allAre('member-2');
  one.configure({});
  await allAre('none');
  expect(await one.audited()).toBe(0);
  expect(puts()).toBe(3 * PODS);
  await one.stop();
});

test('one that changed while the mirror was away is written anew at its next start; verify finds it until then', async () => {
  const rule = (value: string): object => ({ setLabels: { cluster: value } });
  const first = await start(rule('member-1'));
  await allAre('member-1');
  await first.stop();
  const verify = async (value: string): Promise<string> => {
    const config = dir.file('verify.yaml');
    const resources = [{ kinds: ['pods'], ...rule(value) }];
    writeFileSync(config, JSON.stringify({ cluster: { name: 'prod' }, storage: { url: `bcs+${service.url}` }, kinds: ['pods', 'namespaces'], resources }));
    const { code, stdout } = await kubefold(['verify', '--config', config, '--kubeconfig', dir.file('kubeconfig')]);
    return `${code} ${stdout.trim().split('\n').at(-1)}`;
  };
  expect(await verify('member-1')).toMatch(/^0 equal/);
  expect(await verify('member-2')).toMatch(new RegExp(`^1 different: .* ${PODS} differences`));
  journal.length = 0;
  const same = await start(rule('member-1'));
  expect(await same.audited()).toBe(0);
  await same.stop();
  expect(puts(), 'the same rule again writes nothing').toBe(0);
  const second = await start(rule('member-2'));
  await allAre('member-2');
  expect(await second.audited()).toBe(0);
  expect(puts()).toBe(PODS);
  await second.stop();
  expect(await verify('member-2')).toMatch(/^0 equal/);
});
