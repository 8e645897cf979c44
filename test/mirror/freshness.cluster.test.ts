import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { apply, configMap } from './support/ground.ts';
import { MirrorProcess } from './support/mirror-process.ts';

const dir = tempDir('mirror-freshness');
let plane: ControlPlane;
let mirror: MirrorProcess;

beforeAll(async () => {
  plane = await startControlPlane({ nodes: 1 });
  mirror = await MirrorProcess.startReady({ kubeconfig: plane.kubeconfigPath, database: dir.file('copy.db'), flags: ['--kinds', 'configmaps'] });
});

afterAll(async () => {
  const exit = await mirror?.child.stop(30_000);
  await plane?.close();
  dir.remove();
  expect(exit?.code, exit?.stderr.slice(-3_000)).toBe(0);
});

const written = (part: string): Promise<number> => mirror.metric(`kubefold_written_to_stored_seconds_${part}`, 'resource="configmaps"');

interface Managed {
  readonly metadata: { readonly managedFields: readonly { readonly time: string }[]; readonly deletionTimestamp?: string };
}

test('changes are timed from when the API server wrote them, by its clock, which is this one', async () => {
  for (let n = 0; n < 5; n++) {
    const before = await written('count');
    await apply(plane, [configMap(`timed-${n}`, { n: String(n) })]);
    await until('the change is timed', async () => (await written('count')) > before, { withinMs: 20_000, everyMs: 50 });
  }
  const [sum, count] = [await written('sum'), await written('count')];
  // Whole seconds, cut: up to 1 s too long, and never less than 0.
  expect(sum / count).toBeGreaterThanOrEqual(0);
  expect(sum / count).toBeLessThan(5);
});

test('the mark of a graceful deletion leaves the time of the write before it: it is not taken for a change that took so long', async () => {
  const path = '/api/v1/namespaces/default/configmaps/marked';
  await apply(plane, [{ ...configMap('marked', {}), metadata: { name: 'marked', namespace: 'default', finalizers: ['demo.example.com/wait'] } }]);
  const [entry] = (await plane.apiOk<Managed>(path)).metadata.managedFields;
  const writtenAt = Date.parse(entry?.time ?? '');
  expect(Math.abs(Date.now() - writtenAt)).toBeLessThan(60_000);
  // Longer ago than clocks of servers may differ; and others are written meanwhile, which is how a left-over time is known.
  await until('its write is 7 s old', () => Date.now() - writtenAt > 7_000, { withinMs: 20_000, everyMs: 100 });
  const before = await written('count');
  await apply(plane, [configMap('in-between', { n: '1' })]);
  await until('what was written in between is timed', async () => (await written('count')) > before, { withinMs: 20_000, everyMs: 50 });
  await plane.apiOk(path, { method: 'DELETE' });
  const marked = await plane.apiOk<Managed>(path);
  expect(marked.metadata.deletionTimestamp).toBeDefined();
  expect(marked.metadata.managedFields.map(({ time }) => time)).toEqual([entry?.time]);
  // The mark was received before it, so it would have been counted by then.
  await apply(plane, [configMap('behind', { n: '2' })]);
  await until('what came behind it is timed', async () => (await written('count')) > before + 1, { withinMs: 20_000, everyMs: 50 });
  expect(await written('count')).toBe(before + 2);
  expect(await mirror.metric('kubefold_change_to_stored_seconds_count', 'resource="configmaps"')).toBeGreaterThanOrEqual(9);
});
