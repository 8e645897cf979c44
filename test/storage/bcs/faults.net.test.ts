import { afterEach, describe, expect, test } from 'vitest';
import type { FaultRule } from '../../../src/bcsstorage/faults.ts';
import { systemClock } from '../../../src/kit/clock.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import type { Outcome } from '../../../src/model/outcome.ts';
import type { BcsStorage } from '../../../src/storage/bcs/bcs-storage.ts';
import { until } from '../../support/until.ts';
import { del, key, outcomes, wholeIndex } from '../build.ts';
import { bcsRig, putObject, type Rig } from './engine.ts';
import { stepsBack } from './journal-checks.ts';

let rig: Rig;
afterEach(() => rig.remove());

/** A service like the old one, which takes whatever comes last, with an engine that waits so long for an answer. */
async function patient(timeoutMs: number, ...rules: readonly FaultRule[]): Promise<BcsStorage> {
  rig = await bcsRig({ service: { checksRevisions: false, random: seededRandom(7) }, connection: { timeoutMs } });
  await wholeIndex(rig.storage);
  for (const rule of rules) rig.service.faults.add(rule);
  return rig.storage;
}

const faulty = (...rules: readonly FaultRule[]): Promise<BcsStorage> => patient(300, ...rules);

const pods = { methods: ['PUT', 'DELETE'], path: '/Pod/' };

describe('a request whose answer is lost', () => {
  test.each([
    ['is cut after it was done', { type: 'reset', when: 'after' }],
    ['gets no answer after it was done', { type: 'hang', when: 'after' }],
    ['gets half an answer that ends in the middle', { type: 'wrong-body', form: 'half' }],
  ] as const)('because it %s: a look shows that it was done, and it is not sent again, or only itself', async (_, effect) => {
    const storage = await faulty({ effect, ...pods, times: 1 });
    const [first] = await outcomes(storage, [putObject('a/x', '5')]);
    if (first === 'retry') await outcomes(storage, [putObject('a/x', '5')]);
    expect(await outcomes(storage, [putObject('a/x', '5'), putObject('a/y', '1')])).toEqual(['unchanged', 'written']);
    expect(rig.journal.filter(({ key: at }) => at.endsWith('Pod/x')).map(({ resourceVersion }) => resourceVersion)).toEqual(['5']);
  });

  test('a delete that was cut after it was done is settled likewise', async () => {
    const storage = await faulty();
    await storage.write([putObject('a/x', '5')], []);
    rig.service.faults.add({ effect: { type: 'reset', when: 'after' }, methods: ['DELETE'], times: 1 });
    expect(await outcomes(storage, [del('a/x', '6')])).toEqual(['written']);
    expect(rig.journal.filter(({ method }) => method === 'DELETE')).toHaveLength(1);
  });

  test('before it was done: the very same may go at once, another state waits until it can no longer arrive', async () => {
    const storage = await faulty({ effect: { type: 'reset', when: 'before' }, ...pods, times: 1 });
    expect(await outcomes(storage, [putObject('a/x', '5')])).toEqual(['retry']);
    expect(await storage.write([putObject('a/x', '6')], [])).toEqual([{ kind: 'retry', error: expect.stringContaining('may still arrive') }]);
    expect(await outcomes(storage, [putObject('a/x', '5')])).toEqual(['written']);
    await until('the newer state is written', async () => (await outcomes(storage, [putObject('a/x', '6')]))[0] === 'written');
    expect(rig.journal.filter(({ key: at }) => at.endsWith('Pod/x')).map(({ resourceVersion }) => resourceVersion)).toEqual(['5', '6']);
  });

  test('and that arrives after it was given up overwrites nothing newer, for nothing newer is sent before (4.1 #8)', async () => {
    const storage = await faulty({ effect: { type: 'delay', ms: 900, when: 'before' }, ...pods, times: 1 });
    expect(await outcomes(storage, [putObject('a/x', '5')])).toEqual(['retry']);
    await until('the newer state is written', async () => (await outcomes(storage, [putObject('a/x', '6')]))[0] === 'written', { everyMs: 20 });
    expect(rig.journal.filter(({ key: at }) => at.endsWith('Pod/x')).map(({ resourceVersion }) => resourceVersion)).toEqual(['5', '6']);
  });
});

describe('answers that are none', () => {
  test.each([
    ['HTML with status 200', { type: 'wrong-body', form: 'html' }, /not JSON/],
    ['nothing', { type: 'wrong-body', form: 'empty' }, /0 bytes that are not JSON/],
    ['"result": true with HTTP 500', { type: 'status', status: 500, body: 'success' }, /"result": true with HTTP 500/],
    ['"result": false with status 200', { type: 'refuse' }, /code 1405082/],
    ['HTTP 400', { type: 'status', status: 400 }, /HTTP 400/],
    ['plain text with 502', { type: 'status', status: 502, body: 'text' }, /HTTP 502/],
  ] as const)('%s: the write may work later, and says why', async (_, effect, error) => {
    const storage = await faulty({ effect, ...pods, times: 1 });
    expect(await storage.write([putObject('a/x', '5')], [])).toEqual([{ kind: 'retry', error: expect.stringMatching(error) }]);
    const [then] = await outcomes(storage, [putObject('a/x', '5')]);
    expect(['written', 'unchanged']).toContain(then);
    expect((await rig.reader.get('prod', 'pods', key('a/x')))?.revision).toBe('5');
  });

  test('HTTP 413 parks that object, and its neighbours are written (4.1 #12)', async () => {
    const storage = await faulty({ effect: { type: 'status', status: 413, body: 'text' }, path: '/Pod/bad' });
    expect(await outcomes(storage, [putObject('a/bad', '5'), putObject('a/good', '6')])).toEqual(['rejected', 'written']);
    expect(await storage.parked()).toMatchObject([{ key: 'a/bad', error: expect.stringContaining('too large') }]);
    const next = await rig.again();
    expect(await next.parked()).toMatchObject([{ key: 'a/bad', revision: '5', attempts: 1 }]);
  });

  test('Retry-After is honoured: nothing is asked before that time', async () => {
    const storage = await faulty({ effect: { type: 'status', status: 429, retryAfterSeconds: 1 }, ...pods, times: 1 });
    await outcomes(storage, [putObject('a/x', '5')]);
    rig.service.resetStats();
    const [paused] = await storage.write([putObject('a/x', '5')], []);
    expect(paused).toEqual({ kind: 'retry', error: expect.stringMatching(/left alone for another 1 s \(Retry-After\)/) });
    expect(rig.service.stats().byMethod).toEqual({});
    await until('it takes writes again', async () => (await outcomes(storage, [putObject('a/x', '5')]))[0] === 'written', { everyMs: 50 });
  });

  test('an Event whose first PUT fails is put again: events are not lost on the first failure (4.1 #14)', async () => {
    const event = { group: '', version: 'v1', resource: 'events', kind: 'Event', namespaced: true, singular: '', shortNames: [], categories: [] };
    const storage = await faulty({ effect: { type: 'reset', when: 'after' }, path: '/events', times: 1 });
    expect(await outcomes(storage, [putObject('a/e1', '5', { kind: event })])).toEqual(['retry']);
    expect(await outcomes(storage, [putObject('a/e1', '5', { kind: event })])).toEqual(['written']);
    expect(await outcomes(storage, [putObject('a/e1', '5', { kind: event }), del('a/e2', '6', { kind: event })])).toEqual(['unchanged', 'unchanged']);
    expect(rig.journal.filter(({ key: at }) => at.includes('/events/')).map(({ outcome }) => outcome)).toEqual(['created', 'duplicate']);
    expect((await rig.reader.get('prod', 'events', key('a/e1')))?.revision).toBe('5');
  });
});

test('1 % errors, 1 % timeouts after the commit, 1 % resets on either side: no key is lost, and no older revision comes after a newer one', {
  timeout: 120_000,
}, async () => {
  const storage = await patient(
    1_000,
    { effect: { type: 'status', status: 500 }, ...pods, share: 0.01 },
    { effect: { type: 'hang', when: 'after' }, ...pods, share: 0.01 },
    { effect: { type: 'reset', when: 'before' }, ...pods, share: 0.01 },
    { effect: { type: 'reset', when: 'after' }, ...pods, share: 0.01 },
  );
  const random = seededRandom(11);
  const KEYS = 100;
  const truth = new Map<string, string>();
  let revision = 0;
  // Each key on its own, as workers do: newest state, again after a backoff until it is settled, 12 states in a row.
  const live = async (name: string): Promise<void> => {
    for (let round = 0; round < 12; round++) {
      let outcome: Outcome['kind'] | undefined;
      while (outcome !== 'written' && outcome !== 'unchanged') {
        // The object may have changed by the next try.
        if (outcome === undefined || random.next() < 0.3) truth.set(name, String(++revision));
        [outcome] = (await outcomes(storage, [putObject(name, truth.get(name) ?? '', { uid: name })])) as [Outcome['kind']];
        if (outcome === 'retry') await systemClock.sleep(5 + 50 * random.next());
      }
    }
  };
  await Promise.all(Array.from({ length: KEYS }, (_, index) => live(`a/x${index}`)));
  rig.service.faults.clear();
  const rows = await wholeIndex(await rig.again());
  expect(stepsBack(rig.journal)).toEqual([]);
  // With what the service did to a key that is wrong: a failure here is rare, and must explain itself.
  const history = (name: string): string =>
    rig.journal
      .filter(({ key: at }) => `a/${at.split('/').at(-1)}` === name)
      .map(({ time, resourceVersion }) => `${resourceVersion} at ${time}`)
      .join(', ');
  const wrong = rows
    .filter((row) => truth.get(row.key) !== row.revision)
    .map(({ key: at, revision: is }) => `${at} is ${is}, not ${truth.get(at)}: ${history(at)}`);
  expect(wrong).toEqual([]);
  expect(rows).toHaveLength(KEYS);
  expect(rig.journal.filter(({ method }) => method === 'PUT').length).toBeGreaterThan(KEYS * 12);
});

test('a service that is cut and comes back loses nothing of what was answered', async () => {
  const storage = await faulty();
  const writes = Array.from({ length: 400 }, (_, index) => putObject(`a/x${index}`, '5'));
  rig.service.faults.setLatency(30);
  const first = storage.write(writes, []);
  await until('requests are under way', () => rig.service.stats().requests > 50, { everyMs: 2 });
  rig.service.cutConnections();
  const settled = await first;
  let left = writes.filter((_, index) => settled[index]?.kind === 'retry');
  while (left.length > 0) {
    const again = await storage.write(left, []);
    left = left.filter((_, index) => again[index]?.kind === 'retry');
  }
  expect(await wholeIndex(await rig.again())).toHaveLength(400);
});
