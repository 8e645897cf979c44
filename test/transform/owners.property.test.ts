import { describe, expect, test } from 'vitest';
import { type Random, seededRandom } from '../../src/kit/random.ts';
import type { ObjectKey } from '../../src/model/key.ts';
import type { OwnerRef } from '../../src/model/owner.ts';
import { type Followed, type Link, Owners } from '../../src/transform/owners.ts';

const SEEDS = 600;
const STEPS = 120;
const PODS = 6;

const int = (random: Random, below: number): number => Math.floor(random.next() * below);
const refOf = (index: number): OwnerRef => ({ apiVersion: 'v1', kind: `K${index % 3}`, name: `n${index}`, uid: `u${index}` });
const keyOf = (index: number): ObjectKey => `ns/p${index}` as ObjectKey;
const shown = (top: { readonly kind: string; readonly name: string } | null): string | null => (top === null ? null : `${top.kind}/${top.name}`);

/** The cluster as delivered so far, which never forgets; what was written of the pods; and a worker and a look-up around the class that is tested. */
class World {
  readonly cluster = new Map<string, OwnerRef | null>();
  readonly pods = new Map<ObjectKey, OwnerRef>();
  readonly rows = new Map<ObjectKey, { readonly top: string; readonly ref: OwnerRef }>();
  readonly dirty = new Set<ObjectKey>();
  owners: Owners;
  lookUps = 0;
  renewed = 0;
  readonly #mostIdle: number;
  readonly #sweepFrom: number;

  constructor(random: Random) {
    this.#mostIdle = 1 + int(random, 6);
    this.#sweepFrom = int(random, 2) === 0 ? 2 : 1_000;
    this.owners = this.#create();
  }

  #create(): Owners {
    return new Owners({ mostIdle: this.#mostIdle, sweepFrom: this.#sweepFrom });
  }

  get mostIdle(): number {
    return this.#mostIdle;
  }

  /** A delivery, and the look-ups it asks for, answered at once. */
  learn(uid: string, link: Link): void {
    const open: [string, Link][] = [[uid, link]];
    for (let next = open.pop(), rounds = 0; next !== undefined; next = open.pop(), rounds++) {
      if (rounds > 200) throw new Error('learning does not end');
      const { outdated, ready, missing } = this.owners.learn(...next);
      this.renewed += outdated.length;
      for (const { key } of [...outdated, ...ready]) this.dirty.add(key);
      for (const { ref } of missing) open.push([ref.uid, this.#lookUp(ref.uid)]);
    }
  }

  /** A worker: looks up what is missing, then writes. */
  write(key: ObjectKey): void {
    for (let rounds = 0; ; rounds++) {
      if (rounds > 50) throw new Error('look-ups do not end');
      const missing = this.owners.top('pods', key)?.missing;
      if (missing === undefined || missing === null) break;
      this.owners.wait('pods', key);
      this.learn(missing.ref.uid, this.#lookUp(missing.ref.uid));
    }
    this.dirty.delete(key);
    const ref = this.pods.get(key);
    const top = shown(this.owners.give('pods', key));
    if (top === null || ref === undefined) this.rows.delete(key);
    else this.rows.set(key, { top, ref });
  }

  /** Another process on the same rows: it fills itself from them, and nothing else is told to it. */
  restart(): void {
    this.owners = this.#create();
    for (const [key, { top, ref }] of this.rows) {
      if (this.dirty.has(key)) continue;
      const [kind = '', name = ''] = top.split('/');
      const filled = this.owners.fill({ kind: 'pods', key, isCurrent: true }, ref, { kind, name });
      if (filled?.isOutdated) this.dirty.add(key);
      if (filled !== null && filled.missing !== null) this.learn(filled.missing.ref.uid, this.#lookUp(filled.missing.ref.uid));
    }
    for (const [key, ref] of this.pods) if (this.dirty.has(key)) this.owners.follow('pods', key, ref);
  }

  truth(first: OwnerRef): { readonly text: string; readonly isWhole: boolean } {
    const seen = new Set<string>();
    for (let ref = first; ; ) {
      seen.add(ref.uid);
      const text = shown(ref) ?? '';
      const controller = this.cluster.get(ref.uid);
      if (controller === undefined) return { text, isWhole: false };
      if (controller === null || seen.has(controller.uid)) return { text, isWhole: true };
      ref = controller;
    }
  }

  #lookUp(uid: string): Link {
    this.lookUps++;
    return this.cluster.has(uid) ? (this.cluster.get(uid) ?? null) : 'absent';
  }
}

function check(world: World): void {
  const { owners, pods, rows, dirty } = world;
  for (const [key, ref] of pods) {
    const top = owners.top('pods', key);
    const truth = world.truth(ref);
    if (top !== null && top.missing === null) expect(`${key} ${shown(top.ref)}`).toBe(`${key} ${truth.text}`);
    if (!dirty.has(key) && (truth.isWhole || world.cluster.has(ref.uid))) expect(`row ${key} ${rows.get(key)?.top}`).toBe(`row ${key} ${truth.text}`);
  }
  expect(owners.size.idle).toBeLessThanOrEqual(world.mostIdle);
}

function step(world: World, random: Random, uids: number): void {
  const { owners, cluster, pods, dirty, rows } = world;
  const what = int(random, 40);
  if (what < 16) {
    const uid = `u${int(random, uids)}`;
    const controller = int(random, 4) === 0 ? null : refOf(int(random, uids));
    cluster.set(uid, controller);
    world.learn(uid, controller);
  } else if (what < 27) {
    const key = keyOf(int(random, PODS));
    const ref = int(random, 6) === 0 ? null : refOf(int(random, uids));
    owners.follow('pods', key, ref);
    if (ref === null) pods.delete(key);
    else pods.set(key, ref);
    dirty.add(key);
  } else if (what < 30) {
    const key = keyOf(int(random, PODS));
    owners.leave('pods', key);
    pods.delete(key);
    rows.delete(key);
    dirty.delete(key);
  } else if (what < 31) world.restart();
  else for (const key of [...dirty]) if (int(random, 2) === 0) world.write(key);
}

describe('owners, beside a twin that never forgets', () => {
  test('what is known is true, and every row that needs no write is as the cluster says, in any order of deliveries, look-ups, writes and restarts', () => {
    let renewed = 0;
    let lookUps = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = seededRandom(seed);
      const world = new World(random);
      const uids = 4 + int(random, 10);
      try {
        for (let at = 0; at < STEPS; at++) {
          step(world, random, uids);
          check(world);
        }
      } catch (cause) {
        throw new Error(`seed ${seed}`, { cause });
      }
      renewed += world.renewed;
      lookUps += world.lookUps;
    }
    // The run means something only when the interesting things happened in it.
    expect(renewed).toBeGreaterThan(SEEDS);
    expect(lookUps).toBeGreaterThan(SEEDS);
  });
});

describe('owners', () => {
  const pod = keyOf(0);
  const [first, second, third] = [refOf(1), refOf(2), refOf(3)];
  const names = (followed: readonly Followed[]): string[] => followed.map(({ kind, key }) => `${kind} ${key}`);

  test('an object whose write was put off is ready when its whole chain is known, and only then', () => {
    const owners = new Owners({ mostIdle: 10 });
    owners.follow('pods', pod, first);
    owners.wait('pods', pod);
    const learned = owners.learn(first.uid, second);
    expect(names(learned.ready)).toEqual([]);
    expect(learned.missing).toEqual([{ ref: second, namespace: 'ns' }]);
    expect(names(owners.learn(second.uid, null).ready)).toEqual([`pods ${pod}`]);
    expect(shown(owners.give('pods', pod))).toBe('K2/n2');
  });

  test('an owner that is not there is the end of what is known, and takes nothing back', () => {
    const owners = new Owners({ mostIdle: 10 });
    owners.fill({ kind: 'pods', key: pod, isCurrent: true }, first, { kind: 'K3', name: 'n3' });
    expect(names(owners.learn(first.uid, 'absent').outdated)).toEqual([]);
    expect(shown(owners.give('pods', pod))).toBe('K3/n3');
    owners.follow('pods', keyOf(1), first);
    expect(shown(owners.give('pods', keyOf(1)))).toBe('K1/n1');
    expect(owners.learn(first.uid, second)).toMatchObject({ outdated: [], missing: [{ ref: second }] });
    // What a reference says is told, also of an owner that is not there itself.
    expect(names(owners.learn(second.uid, 'absent').outdated)).toEqual([`pods ${pod}`, `pods ${keyOf(1)}`]);
    expect(names(owners.learn(first.uid, 'absent').outdated)).toEqual([]);
    expect(shown(owners.give('pods', pod))).toBe('K2/n2');
  });

  test('an owner that is replaced by another of the same name changes nothing that was written', () => {
    const owners = new Owners({ mostIdle: 10 });
    owners.follow('pods', pod, first);
    owners.learn(first.uid, second);
    owners.learn(second.uid, null);
    owners.give('pods', pod);
    const again = { ...second, uid: 'another' };
    expect(names(owners.learn(first.uid, again).outdated)).toEqual([]);
    expect(names(owners.learn(again.uid, null).outdated)).toEqual([]);
    expect(names(owners.learn(first.uid, null).outdated)).toEqual([`pods ${pod}`]);
  });

  test('a ring of owners ends where it would begin again', () => {
    const owners = new Owners({ mostIdle: 10 });
    owners.follow('pods', pod, first);
    owners.learn(first.uid, second);
    owners.learn(second.uid, third);
    owners.learn(third.uid, first);
    expect(shown(owners.give('pods', pod))).toBe('K0/n3');
    expect(owners.top('pods', pod)).toMatchObject({ missing: null, isTold: true });
  });

  test('a row that says nothing is outdated as soon as anything can be said, also when the chain is not known to its end', () => {
    const owners = new Owners({ mostIdle: 10 });
    expect(owners.fill({ kind: 'pods', key: pod, isCurrent: true }, first, { kind: '', name: '' })).toMatchObject({
      isOutdated: true,
      missing: { ref: first },
    });
    expect(names(owners.release(first.uid))).toEqual([`pods ${pod}`]);
    expect(shown(owners.give('pods', pod))).toBe('K1/n1');
    expect(names(owners.release(first.uid))).toEqual([]);
  });

  test('a row that is older than its object tells what was given, and never who the owner is: the object may have none any more', () => {
    const owners = new Owners({ mostIdle: 10 });
    const row = { kind: 'pods', key: pod, isCurrent: false };
    owners.follow('pods', pod, first);
    owners.follow('pods', pod, null);
    expect([owners.fill(row, first, { kind: 'K1', name: 'n1' }), owners.top('pods', pod)]).toEqual([null, null]);
    owners.follow('pods', pod, second);
    expect([owners.fill(row, first, { kind: 'K1', name: 'n1' }), owners.top('pods', pod)?.ref]).toEqual([null, second]);
    expect(owners.fill(row, second, { kind: 'K2', name: 'n2' })).toMatchObject({ isOutdated: false, ref: second });
  });

  test('a kind of which nobody asks any more needs no link', () => {
    const owners = new Owners({ mostIdle: 10, sweepFrom: 0 });
    owners.follow('pods', pod, first);
    owners.learn(first.uid, second);
    owners.drop('pods');
    expect(owners.size.followers).toBe(0);
    owners.follow('jobs', pod, third);
    owners.learn(third.uid, refOf(4));
    owners.learn('u4', null);
    expect(owners.size).toEqual({ followers: 1, needed: 2, idle: 1 });
  });
});
