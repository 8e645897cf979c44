import { expect, test } from 'vitest';
import { SlabPool } from '../../src/cache/body-pool.ts';
import { isDirty, ObjectCache, type Taken } from '../../src/cache/object-cache.ts';
import { objectKey } from '../../src/model/key.ts';

/** A start lists a cluster that was restored from a backup: an object that was deleted after the backup is back, and storage remembers its deletion. */
test.each([
  ['refused before', true],
  ['about to be refused while', false],
])('an object that is back with a backup, %s the list that shows the history to be another, is written whatever was deleted', (_, isSettledBefore) => {
  const pool = new SlabPool(8 * 1024 * 1024);
  const cache = new ObjectCache(['']);
  const state = cache.scope('');
  const back = { key: objectKey('shop', 'back'), uid: 'u1', revision: '50' };
  const body = () => pool.store({ size: 1, copyTo: (target, at) => target.fill(120, at, at + 1) });
  const take = (): Taken => {
    const taken = cache.take(back.key);
    if (taken === null) throw new Error('there was nothing to write');
    return taken;
  };
  cache.load({ key: objectKey('shop', 'lost'), uid: 'u2', revision: '900' }, 'keep');

  cache.beginList(state);
  expect(isDirty(cache.see(state, back, 0, null, body))).toBe(true);
  const first = take();
  expect(first.regressed).toBe(false);
  if (isSettledBefore) expect(cache.contest(first, state)).toBe('contested');

  // Its end shows that the history went back, so all of it is listed once more.
  expect(cache.isAheadOf(state, '60')).toBe(true);
  cache.abortList(state);
  cache.beginList(state, 'regressed');
  expect(isDirty(cache.see(state, back, 0, null, body))).toBe(true);
  if (!isSettledBefore) expect(cache.contest(first, state)).toBe('changed');
  expect(take()).toMatchObject({ uid: 'u1', revision: '50', regressed: true });
});
