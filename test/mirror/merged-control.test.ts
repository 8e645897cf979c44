import { describe, expect, test } from 'vitest';
import { MergedControl } from '../../src/mirror/merged-control.ts';
import type { Control, HeldPass, HeldToken, ParkedChoice, Refused } from '../../src/model/control.ts';
import { objectKey, type ObjectKey } from '../../src/model/key.ts';

/** A mirror that holds these passes and parks these keys of pods. */
class Shard implements Control {
  readonly clusterName = 'c';
  readonly confirmed: HeldToken[] = [];
  readonly done: ParkedChoice[] = [];
  readonly #passes: readonly HeldPass[];
  readonly #parked: readonly ObjectKey[];

  constructor(passes: readonly HeldPass[], parked: readonly ObjectKey[] = []) {
    this.#passes = passes;
    this.#parked = parked;
  }

  held(keys: number): readonly HeldPass[] {
    return this.#passes.map((pass) => ({ ...pass, keys: pass.keys.slice(0, keys) }));
  }

  queues(): ReturnType<Control['queues']> {
    return [{ kind: 'pods', size: 2, keys: [{ key: objectKey('a', 'q'), state: 'queued', priority: 0, failures: 0, forMs: 1 }] }];
  }

  confirm(shown: HeldToken): { readonly released: number } | Refused {
    const pass = this.#passes.find(({ kind, token, count }) => kind === shown.kind && token === shown.token && count === shown.count);
    if (pass === undefined) return { refused: 'something else is held' };
    this.confirmed.push(shown);
    return { released: pass.count };
  }

  async parked(): ReturnType<Control['parked']> {
    return this.#parked.map((key) => ({ kind: 'pods', key, uid: key, revision: '1', error: 'too large', attempts: 1, since: 0 }));
  }

  async retry(choice: ParkedChoice): Promise<{ readonly retried: number } | Refused> {
    const count = this.#count(choice);
    return count === null ? { refused: 'is not parked' } : { retried: count };
  }

  async drop(choice: ParkedChoice): Promise<{ readonly dropped: number } | Refused> {
    const count = this.#count(choice);
    return count === null ? { refused: 'is not parked' } : { dropped: count };
  }

  #count(choice: ParkedChoice): number | null {
    if ('all' in choice) return this.#parked.length;
    return this.#parked.includes(choice.key) ? 1 : null;
  }
}

const pass = (over: Partial<HeldPass>): HeldPass => ({
  kind: 'pods',
  token: '1.1',
  count: 2,
  of: 10,
  since: 50,
  why: 'a list',
  keys: [objectKey('a', 'x'), objectKey('a', 'y')],
  ...over,
});
const over = (...shards: readonly Shard[]): MergedControl => new MergedControl('c', () => shards);

describe('what people decide over several shards', () => {
  test('deletions of one kind are shown as one pass, and confirmed as a whole', () => {
    const [one, two] = [
      new Shard([pass({})]),
      new Shard([pass({ token: '2.1', count: 3, since: 40, keys: [objectKey('a', 'z')] }), pass({ kind: 'nodes', token: '9.9' })]),
    ];
    const control = over(one, two);
    const shown = control.held(10);
    expect(shown).toEqual([
      pass({ token: '1.1+2.1', count: 5, of: 20, since: 40, keys: [objectKey('a', 'x'), objectKey('a', 'y'), objectKey('a', 'z')] }),
      pass({ kind: 'nodes', token: '9.9' }),
    ]);
    expect(control.held(2)[0]?.keys).toEqual([objectKey('a', 'x'), objectKey('a', 'y')]);
    expect(control.confirm(shown[0] as HeldPass)).toEqual({ released: 5 });
    expect([one.confirmed.length, two.confirmed.length]).toEqual([1, 1]);
  });

  test.each([
    ['another token', { token: '1.1+2.2', count: 5 }],
    ['another count', { token: '1.1+2.1', count: 4 }],
    ['a kind of which nothing is held', { token: '1.1+2.1', count: 5, kind: 'nodes' }],
  ])('%s confirms nothing', (_, shown) => {
    const [one, two] = [new Shard([pass({})]), new Shard([pass({ token: '2.1', count: 3 })])];
    expect(over(one, two).confirm({ kind: 'pods', ...shown })).toEqual({ refused: 'something else is held' });
    expect([...one.confirmed, ...two.confirmed]).toEqual([]);
  });

  test('a parked object is retried or dropped in the shard that has it, all of them in all', async () => {
    const control = over(new Shard([], [objectKey('a', 'x')]), new Shard([], [objectKey('a', 'y'), objectKey('a', 'z')]));
    expect((await control.parked()).map(({ key }) => key)).toEqual([objectKey('a', 'x'), objectKey('a', 'y'), objectKey('a', 'z')]);
    expect(await control.retry({ kind: 'pods', key: objectKey('a', 'y') })).toEqual({ retried: 1 });
    expect(await control.retry({ all: true })).toEqual({ retried: 3 });
    expect(await control.drop({ kind: 'pods', key: objectKey('a', 'q') })).toEqual({ refused: 'is not parked' });
    expect(await control.drop({ all: true })).toEqual({ dropped: 3 });
  });

  test('queues of one kind are one', () => {
    expect(over(new Shard([]), new Shard([])).queues(1)).toEqual([
      { kind: 'pods', size: 4, keys: [{ key: objectKey('a', 'q'), state: 'queued', priority: 0, failures: 0, forMs: 1 }] },
    ]);
  });

  test('a process that writes no shard refuses, and says who to ask', async () => {
    expect(over().confirm({ kind: 'pods', token: '1.1', count: 2 })).toMatchObject({ refused: expect.stringContaining('ask the replica that does') });
    expect(await over().retry({ all: true })).toMatchObject({ refused: expect.stringContaining('writes no shard') });
    expect(over().held(1)).toEqual([]);
  });
});
