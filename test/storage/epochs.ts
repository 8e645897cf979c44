import { describe, expect, test } from 'vitest';
import { EpochError } from '../../src/model/errors.ts';
import type { Storage } from '../../src/storage/storage.ts';
import type { EngineUnderTest } from './engine-under-test.ts';
import { del, key, outcomes, put, scope, wholeIndex } from './build.ts';

/** What every engine promises about writers that a lease elects; or it says in `cannot` that it does not. */
export function epochs(engine: () => EngineUnderTest): void {
  /** Two writers of one copy: the one that led, and the one that has taken over. */
  const inTurn = async (
    run: (former: Storage, leader: Storage) => Promise<void>,
    writers = { former: { epoch: 3, holder: 'a' }, leader: { epoch: 4, holder: 'b' } },
  ): Promise<void> => {
    const { storage, another } = engine();
    if (another === undefined) {
      expect(storage.cannot.epoch, 'what an engine says that has no second writer').toContain(storage.name);
      return;
    }
    await storage.close();
    const [former, leader] = [another(), another()];
    await former.open(writers.former);
    try {
      await former.write([put('a/x', '5'), put('a/y', '5')], [scope('5')]);
      await leader.open(writers.leader);
      await run(former, leader);
    } finally {
      await former.close();
      await leader.close();
    }
  };

  describe('writers that a lease elects', () => {
    test('take over while the former leader is still there, and read what it wrote', () =>
      inTurn(async (_, leader) => {
        expect((await wholeIndex(leader)).map((row) => row.key)).toEqual(['a/x', 'a/y']);
        expect(await outcomes(leader, [put('a/x', '6'), del('a/y', '7')], [scope('7')])).toEqual(['written', 'written']);
      }));

    test('refuse rows of a lower epoch, whatever their revision, and nothing of the batch is committed', () =>
      inTurn(async (former, leader) => {
        await expect(former.write([put('a/z', '9'), put('a/x', '9')], [])).rejects.toThrow(EpochError);
        await expect(former.write([put('a/x', '9', { force: true })], [])).rejects.toThrow(/epoch 4/);
        await expect(former.write([del('a/x', null)], [])).rejects.toMatchObject({ newest: 4 });
        expect((await wholeIndex(leader)).map((row) => [row.key, row.revision])).toEqual([
          ['a/x', '5'],
          ['a/y', '5'],
        ]);
      }));

    test('refuse scope records of a lower epoch, also alone, and what it retires', () =>
      inTurn(async (former, leader) => {
        await expect(former.write([], [scope('9')])).rejects.toThrow(EpochError);
        await expect(former.write([], [scope('9', { retired: true })])).rejects.toThrow(EpochError);
        expect(await leader.scopes()).toEqual([scope('5')]);
      }));

    test('park nothing of a lower epoch, and take nothing out of what is parked', () =>
      inTurn(async (former, leader) => {
        const poison = put('a/x', '9', { body: '{"spec":{]}', isChecked: false });
        await expect(former.write([poison], [])).rejects.toThrow(EpochError);
        expect(await leader.parked()).toEqual([]);
        await leader.write([poison], []);
        await expect(former.unpark('pods', key('a/x'))).rejects.toThrow(/epoch 4/);
        expect(await leader.parked()).toMatchObject([{ key: 'a/x', attempts: 1 }]);
      }));

    test('a deletion of a lower epoch is not remembered either', () =>
      inTurn(async (former, leader) => {
        await expect(former.write([del('a/z', '9')], [])).rejects.toThrow(EpochError);
        expect(await outcomes(leader, [put('a/z', '8')])).toEqual(['written']);
      }));

    test('of one epoch only one writes: the lease was made anew, and counts from the start', () =>
      inTurn(
        async (former) => {
          const { another } = engine();
          if (another === undefined) throw new Error('unreachable: inTurn has returned before');
          const third = another();
          await expect(third.open({ epoch: 4, holder: 'c' })).rejects.toMatchObject({ name: 'EpochError', newest: 4 });
          await third.close();
          await expect(former.write([put('a/x', '9')], [])).rejects.toThrow(EpochError);
        },
        { former: { epoch: 1, holder: 'a' }, leader: { epoch: 4, holder: 'b' } },
      ));

    test('a lower epoch cannot take the place back', () =>
      inTurn(async (_, leader) => {
        const { another } = engine();
        if (another === undefined) throw new Error('unreachable: inTurn has returned before');
        const late = another();
        await expect(late.open({ epoch: 3, holder: 'a' })).rejects.toMatchObject({ name: 'EpochError', newest: 4 });
        await late.close();
        expect(await outcomes(leader, [put('a/x', '6')])).toEqual(['written']);
      }));
  });
}
