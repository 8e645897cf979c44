import { afterEach, expect, test } from 'vitest';
import type { BcsStorage } from '../../../src/storage/bcs/bcs-storage.ts';
import { del, outcomes, wholeIndex } from '../build.ts';
import { uidIn } from '../shards.ts';
import { bcsRig, putObject, type Rig } from './engine.ts';

const [A, B] = [uidIn(0), uidIn(1)];
const LATENCY_MS = 200;
/** How much later than those that were sent at the same moment a request arrives. */
const LATE_MS = 100;

let rig: Rig;
afterEach(() => rig.remove());

/** Two shards over a service that takes whatever comes last, and is some way off. */
async function two(): Promise<readonly [BcsStorage, BcsStorage]> {
  rig = await bcsRig({ service: { checksRevisions: false } });
  const [first, second] = [rig.make(), rig.make()];
  await first.open({ epoch: 1, holder: 'first', shard: { index: 0, count: 2 } });
  await second.open({ epoch: 1, holder: 'second', shard: { index: 1, count: 2 } });
  for (const storage of [first, second]) await wholeIndex(storage);
  await first.write([putObject('a/x', '5', { uid: A })], []);
  await second.write([putObject('a/w', '5', { uid: B })], []);
  rig.service.faults.setLatency(LATENCY_MS);
  return [first, second];
}

/** What stands under the name. */
async function stored(): Promise<string | undefined> {
  const found = (await wholeIndex(await rig.again())).find(({ key }) => key === 'a/x');
  return found === undefined ? undefined : `${found.uid}@${found.revision}`;
}

const late = (method: string): void =>
  void rig.service.faults.add({ effect: { type: 'delay', ms: LATE_MS, when: 'before' }, methods: [method], path: '/Pod/', times: 1 });

test('a new object stands though a put of the one that had its name comes after it', async () => {
  const [first, second] = await two();
  late('PUT');
  const former = outcomes(first, [putObject('a/x', '6', { uid: A })]);
  expect(await outcomes(second, [putObject('a/x', '8', { uid: B })])).toEqual(['written']);
  expect(await former).toEqual(['written']);
  expect(rig.journal.filter(({ key }) => key.endsWith('Pod/x')).map(({ resourceVersion }) => resourceVersion)).toEqual(['5', '8', '6', '8']);
  expect(await outcomes(first, [del('a/x', '7', { uid: A })])).toEqual(['written']);
  expect(await stored()).toEqual(`${B}@8`);
});

test('and though a delete of that one has taken what stood in its place', async () => {
  const [first, second] = await two();
  late('PUT');
  const former = outcomes(first, [putObject('a/x', '6', { uid: A })]);
  const successor = outcomes(second, [putObject('a/x', '8', { uid: B })]);
  await former;
  await Promise.all([first.write([del('a/x', '7', { uid: A })], []), successor]);
  expect(await stored()).toEqual(`${B}@8`);
});

test('a change of an object that is known, and a first list, cost no look', async () => {
  const [, second] = await two();
  await second.write([putObject('a/y', '8', { uid: B })], []);
  rig.service.resetStats();
  await second.write([putObject('a/y', '9', { uid: B }), { ...putObject('a/z', '9', { uid: B }), isInitial: true }], []);
  expect(rig.service.stats().byMethod).toMatchObject({ PUT: 2 });
  expect(rig.service.stats().byMethod['GET'] ?? 0).toBe(0);
});
