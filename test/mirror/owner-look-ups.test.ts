import { afterEach, expect, test } from 'vitest';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { silentLogger } from '../../src/kit/log.ts';
import { ApiError } from '../../src/model/errors.ts';
import type { Kind } from '../../src/model/kind.ts';
import type { RawObject } from '../../src/model/raw-object.ts';
import { OwnerLookUps, type Route } from '../../src/mirror/owner-look-ups.ts';
import { scanObject } from '../../src/mirror/scan-object.ts';
import type { Link, Missing } from '../../src/transform/owners.ts';
import { kindOf } from '../config/kinds.ts';
import { ManualClock } from '../support/manual-clock.ts';

const SETS = kindOf('apps/v1 replicasets ReplicaSet rs');

const missing = (name: string, namespace = 'shop'): Missing => ({ ref: { apiVersion: 'apps/v1', kind: 'ReplicaSet', name, uid: `uid-${name}` }, namespace });

function textOf(name: string, owner: string | null, uid = `uid-${name}`): string {
  const references =
    owner === null ? '' : `,"ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","name":"${owner}","uid":"uid-${owner}","controller":true}]`;
  return `{"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"name":"${name}","namespace":"shop","uid":"${uid}","resourceVersion":"1"${references}}}`;
}

/** The look-ups of one kind, on a manual clock. */
class World {
  readonly clock = new ManualClock();
  readonly learned = new Map<string, Link>();
  readonly released: string[] = [];
  readonly asked: string[] = [];
  readonly objects = new Map<string, string>();
  readonly rows = new Map<string, RawObject>();
  kind: Kind | null = SETS;
  route: Route = 'none';
  needed = true;
  fault: () => Error | null = () => null;
  listFault: () => Error | null = () => null;
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;
  readonly lookUps: OwnerLookUps;

  constructor() {
    const { clock, objects, asked } = this;
    const cluster: Pick<Cluster, 'get' | 'list'> = {
      get: async (_kind, key) => {
        asked.push(key);
        const fault = this.fault();
        if (fault !== null) throw fault;
        const text = objects.get(key);
        return text === undefined ? null : Buffer.from(text);
      },
      list: async (_kind, scope, query, sink) => {
        asked.push(`list ${scope} ${query.continue ?? ''}`);
        const fault = this.listFault();
        if (fault !== null) throw fault;
        sink(Buffer.from(`{"kind":"ReplicaSetList","apiVersion":"apps/v1","metadata":{"resourceVersion":"9"},"items":[${[...objects.values()].join(',')}]}\n`));
      },
    };
    this.lookUps = new OwnerLookUps({
      cluster: cluster as Cluster,
      clock,
      log: silentLogger,
      kindOf: () => this.kind,
      routeOf: () => this.route,
      stored: async (_kind, key) => this.rows.get(key) ?? null,
      isNeeded: () => this.needed,
      learned: (uid, link) => void this.learned.set(uid, link),
      refused: (uid) => void this.released.push(uid),
    });
    this.#running = this.lookUps.run(this.#ending.signal);
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms);
  }

  async end(): Promise<void> {
    this.#ending.abort();
    await this.pass(1);
    await this.#running;
    expect(this.clock.pending).toBe(0);
  }
}

let world: World;
afterEach(() => world.end());

test('an owner is read from its row when that is current, and asks the API server nothing', async () => {
  world = new World();
  world.route = 'known';
  world.rows.set('shop/web', scanObject(SETS, Buffer.from(textOf('web', 'top'))));
  expect(world.lookUps.request(missing('web'))).toBe(3_000);
  await world.pass(10);
  expect(world.learned.get('uid-web')).toMatchObject({ kind: 'Deployment', name: 'top' });
  expect([world.asked, world.lookUps.counts.stored, world.lookUps.waiting]).toEqual([[], 1, 0]);
});

test('one that the watch has not brought is given a moment to come; one that comes meanwhile is not asked for', async () => {
  world = new World();
  world.route = 'not known';
  world.lookUps.request(missing('late'));
  world.lookUps.request(missing('here'));
  await world.pass(100);
  world.lookUps.known('uid-here');
  await world.pass(99);
  expect(world.asked).toEqual([]);
  await world.pass(10);
  expect(world.asked).toEqual(['shop/late']);
  expect(world.learned).toEqual(new Map([['uid-late', 'absent']]));
});

test('one of a kind whose first list is coming is waited for, and asked for only when that is complete and has not brought it', async () => {
  world = new World();
  world.route = 'coming';
  expect(world.lookUps.request(missing('web'))).toBe(10_000);
  await world.pass(4_000);
  expect([world.asked, world.lookUps.request(missing('web'))]).toEqual([[], 6_000]);
  await world.pass(20_000);
  // Nobody waits any more.
  expect([world.asked, world.lookUps.request(missing('web'))]).toEqual([[], 0]);
  world.route = 'not known';
  await world.pass(600);
  expect(world.asked).toEqual(['shop/web']);
});

test('what is found under another uid is not the owner, and its namespace counts only for a kind that has them', async () => {
  world = new World();
  world.objects.set('shop/web', textOf('web', 'top', 'another'));
  world.lookUps.request(missing('web'));
  await world.pass(10);
  expect(world.learned.get('uid-web')).toBe('absent');
  world.kind = { ...SETS, namespaced: false };
  world.lookUps.request(missing('wide'));
  await world.pass(10);
  expect(world.asked).toEqual(['shop/web', 'wide']);
});

test('a failure is tried again, ever later, and holds up the write for three seconds only', async () => {
  world = new World();
  world.fault = () => new Error('connection reset');
  expect(world.lookUps.request(missing('web'))).toBe(3_000);
  await world.pass(3_001);
  expect(world.lookUps.request(missing('web'))).toBe(0);
  await world.pass(600_000);
  const tries = world.asked.length;
  expect(tries).toBeGreaterThan(10);
  expect(tries).toBeLessThan(20);
  world.fault = () => null;
  world.objects.set('shop/web', textOf('web', null));
  await world.pass(61_000);
  expect([world.learned.get('uid-web'), world.asked.length]).toEqual([null, tries + 1]);
});

test.each([403, 404, 405])(
  'a kind that is refused (%i) is left alone for ten minutes, releases who waits, and one look tells whether it still is so',
  async (status) => {
    world = new World();
    world.fault = () => new ApiError('no', { status });
    for (const name of ['a', 'b', 'c']) expect(world.lookUps.request(missing(name))).toBe(3_000);
    await world.pass(10);
    expect([world.asked, world.released]).toEqual([['shop/a'], ['uid-a', 'uid-b', 'uid-c']]);
    expect([world.lookUps.request(missing('a')), world.lookUps.request(missing('new'))]).toEqual([0, 0]);
    await world.pass(599_000);
    expect(world.asked).toHaveLength(1);
    await world.pass(2_000);
    expect(world.asked).toHaveLength(2);
    world.fault = () => null;
    await world.pass(601_000);
    expect([...world.learned.keys()].sort()).toEqual(['uid-a', 'uid-b', 'uid-c', 'uid-new']);
  },
);

test('a kind that the cluster does not have is left alone, until it has other kinds', async () => {
  world = new World();
  world.kind = null;
  world.lookUps.request(missing('web'));
  await world.pass(10);
  expect([world.released, world.lookUps.counts.refused]).toEqual([['uid-web'], 1]);
  world.kind = SETS;
  world.objects.set('shop/web', textOf('web', 'top'));
  world.lookUps.kindsChanged();
  await world.pass(10);
  expect(world.learned.get('uid-web')).toMatchObject({ name: 'top' });
});

test('many are looked for by a list, which says of the rest that they are not there; without the right to list one by one', async () => {
  world = new World();
  for (let number = 0; number < 60; number++) world.objects.set(`shop/n${number}`, textOf(`n${number}`, 'top'));
  for (let number = 0; number < 80; number++) world.lookUps.request(missing(`n${number}`));
  await world.pass(100);
  expect(world.asked).toEqual(['shop/n0', 'list  ']);
  expect([world.lookUps.counts.found, world.lookUps.counts.absent]).toEqual([60, 20]);
  world.listFault = () => new ApiError('no list', { status: 403 });
  for (let number = 100; number < 160; number++) world.lookUps.request(missing(`n${number}`));
  await world.pass(100);
  expect(world.asked).toHaveLength(2 + 1 + 60);
  expect(world.lookUps.counts.absent).toBe(80);
});

test('an owner that nobody needs any more is not asked for', async () => {
  world = new World();
  world.route = 'not known';
  world.lookUps.request(missing('web'));
  world.needed = false;
  await world.pass(1_000);
  expect([world.asked, world.lookUps.waiting]).toEqual([[], 0]);
});
