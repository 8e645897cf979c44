import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type BcsStorage as Service, startBcsStorage } from '../../src/bcsstorage/server.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { kubefold } from './kubefold.ts';

const HOUR_MS = 3_600_000;

let hollow: Hollow;
let service: Service;
let dir: TempDir;
beforeEach(async () => {
  dir = tempDir('verify-events');
  hollow = await startHollow();
  service = await startBcsStorage();
  writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
  hollow.create('namespaces', { metadata: { name: 'shop' } });
});
afterEach(async () => {
  await hollow.close();
  await service.close();
  dir.remove();
});

function event(name: string, agoMs: number): void {
  hollow.create('events', {
    metadata: { name, namespace: 'shop' },
    involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web-1' },
    reason: 'Pulled',
    type: 'Normal',
    lastTimestamp: new Date(systemClock.wall() - agoMs).toISOString(),
  });
}

const flags = (kinds: string): readonly string[] => [
  ...['--kubeconfig', dir.file('kubeconfig'), '--cluster-name', 'prod'],
  ...['--storage', `bcs+${service.url}`, '--kinds', kinds],
];

/** Takes an event out of the documents, as the service itself does after an hour. */
async function letGo(name: string): Promise<void> {
  await fetch(`${service.url}/bcsstorage/v1/k8s/dynamic/namespace_resources/clusters/prod/namespaces/shop/Event/${name}`, { method: 'DELETE' });
}

async function verify(kinds: string, ...more: readonly string[]): Promise<{ code: number | null; stdout: string; lines: readonly object[] }> {
  const { code, stdout } = await kubefold(['verify', ...flags(kinds), ...more], { withinMs: 60_000 });
  return {
    code,
    stdout,
    lines: more.includes('--json')
      ? stdout
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as object)
      : [],
  };
}

test('events that only one side still has, because the other let them go by its clock, are counted in a line and are no difference', async () => {
  for (const name of ['stays', 'expires-1', 'expires-2']) event(name, 1_000);
  event('old', 2 * HOUR_MS);
  expect((await kubefold(['run', ...flags('events,namespaces'), '--once', '--listen', 'off'], { withinMs: 60_000 })).code).toBe(0);
  expect((await verify('events,namespaces')).stdout).toMatch(/^equal: 9 objects of 2 kinds/);

  for (const name of ['expires-1', 'expires-2']) hollow.delete('events', `shop/${name}`);
  await letGo('old');
  const text = await verify('events,namespaces');
  expect(text.stdout).toContain(
    'events: no difference: 2 in the copy whose objects are gone, 1 in the cluster whose rows are gone; the storage service lets events go',
  );
  expect(text).toMatchObject({ code: 0, stdout: expect.stringMatching(/^equal: /m) });
  const { code, lines } = await verify('events,namespaces', '--json');
  expect({ code, lines }).toEqual({
    code: 0,
    lines: [
      { kind: 'events', drift: 'by age', rows: 2, objects: 1, why: expect.stringContaining('by its own clock') },
      expect.objectContaining({ verdict: 'equal', differences: 0, unknown: 0 }),
    ],
  });
}, 60_000);

test('an event of the last hour that the copy has not, or has in another state, is a difference like any', async () => {
  for (const name of ['lost', 'moved']) event(name, 60_000);
  expect((await kubefold(['run', ...flags('events'), '--once', '--listen', 'off'], { withinMs: 60_000 })).code).toBe(0);
  await letGo('lost');
  hollow.patch('events', 'shop/moved', { count: 2 });
  const { code, lines } = await verify('events', '--json');
  expect(code).toBe(1);
  expect(
    lines
      .map((line) => [Reflect.get(line, 'key'), Reflect.get(line, 'drift')])
      .slice(0, -1)
      .sort(),
  ).toEqual([
    ['shop/lost', 'missing'],
    ['shop/moved', 'revision'],
  ]);
}, 60_000);

test('events of a mirror that does not follow them any more are left to the service, and no difference', async () => {
  event('left', 1_000);
  const run = (kinds: string): Promise<{ code: number | null }> => kubefold(['run', ...flags(kinds), '--once', '--listen', 'off'], { withinMs: 60_000 });
  expect((await run('events,namespaces')).code).toBe(0);
  const { code, stdout } = await verify('namespaces');
  expect(stdout).toContain('events: no difference: 1 in the copy whose objects are gone');
  expect(code).toBe(0);
}, 60_000);
