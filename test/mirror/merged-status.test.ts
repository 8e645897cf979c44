import { describe, expect, test } from 'vitest';
import { mergedStatus } from '../../src/mirror/merged-status.ts';
import { objectKey } from '../../src/model/key.ts';
import { copyAge, isReady, type MirrorStatus } from '../../src/model/status.ts';
import { kindIn, statusOf } from '../web/statuses.ts';

const base = statusOf([], { phase: 'standby' });
const merge = (...parts: readonly MirrorStatus[]): MirrorStatus => mergedStatus(base, parts);

describe('several mirrors of one process as one', () => {
  test('one is shown as it is, none as what the process says of itself', () => {
    const only = statusOf([kindIn({ id: 'pods', objects: 3 })], { phase: 'syncing', pendingBytes: 7 });
    expect(merge(only)).toEqual(only);
    expect(merge()).toEqual(base);
  });

  test('each kind is there once, objects are summed and ages the oldest', () => {
    const one = kindIn({
      id: 'pods',
      objects: 3,
      unsettled: 1,
      parked: 1,
      firstParked: { key: objectKey('a', 'x'), error: 'too large' },
      oldestPendingMs: 40,
      ageMs: 40,
      workers: 4,
    });
    const two = kindIn({
      id: 'pods',
      objects: 5,
      held: 2,
      heldSince: 9,
      firstHeld: objectKey('a', 'y'),
      heardAt: 1_700_000_000_000 - 5,
      silentMs: 405,
      ageMs: 7,
      lagRevisions: 3,
      lagMs: 8,
    });
    expect(merge(statusOf([one, kindIn({ id: 'nodes' })]), statusOf([two])).kinds).toEqual([
      kindIn({
        ...{
          id: 'pods',
          objects: 8,
          unsettled: 1,
          parked: 1,
          firstParked: { key: objectKey('a', 'x'), error: 'too large' },
          held: 2,
          heldSince: 9,
          firstHeld: objectKey('a', 'y'),
        },
        ...{ oldestPendingMs: 40, heardAt: 1_700_000_000_000 - 5, silentMs: 405, ageMs: 40, lagRevisions: 3, lagMs: 8, workers: 8 },
      }),
      kindIn({ id: 'nodes' }),
    ]);
  });

  test('a kind is complete up to where all shards are, and waits for what one of them waits for', () => {
    const kindOf = (...kinds: readonly ReturnType<typeof kindIn>[]) => merge(...kinds.map((kind) => statusOf([kind]))).kinds[0];
    expect(kindOf(kindIn({ watermark: '90' }), kindIn({ watermark: '100' }))).toMatchObject({ watermark: '90', complete: true, state: 'watching' });
    expect(kindOf(kindIn({ watermark: '90' }), kindIn({ watermark: null, complete: false, state: 'listing' }))).toMatchObject({
      ...{ watermark: null, complete: false, state: 'listing' },
    });
    expect(kindOf(kindIn({}), kindIn({ state: 'waiting', error: 'forbidden', httpStatus: 403 }))).toMatchObject({
      state: 'waiting',
      error: 'forbidden',
      httpStatus: 403,
    });
  });

  test.each<[MirrorStatus['phase'], readonly MirrorStatus['phase'][]]>([
    ['live', ['live', 'live']],
    ['syncing', ['live', 'syncing']],
    ['connecting', ['connecting', 'syncing', 'live']],
    ['live', ['live', 'stopping']],
    ['stopping', ['stopping', 'stopping']],
  ])('the phase is %s of %j', (phase, phases) => {
    const status = merge(...phases.map((one) => statusOf([kindIn()], { phase: one })));
    expect(status.phase).toBe(phase);
    expect(isReady(status)).toBe(phase === 'live');
  });

  test('storage fails when it fails for one, and the audit is over when that of the last one is', () => {
    const failing = { open: true, since: 5, failingMs: 900, error: 'disk full' };
    const round = { finishedAt: 50, seconds: 2, objects: 10, drift: 1, untold: 0, skipped: [{ id: 'pods', why: 'it is listed' }] };
    const audit = (last: typeof round | null) => ({ everySeconds: 300, off: null, last });
    const status = merge(
      statusOf([], { audit: audit(round) }),
      statusOf([], { storage: failing, audit: audit({ ...round, finishedAt: 70, seconds: 1, drift: 0 }) }),
    );
    expect(status.storage).toEqual(failing);
    expect(status.audit.last).toEqual({ ...round, objects: 20 });
    expect(merge(statusOf([], { audit: audit(round) }), statusOf([], { audit: audit(null) })).audit.last).toBeNull();
  });

  test('what is left out, broken or warned of is said once, and bodies are of one memory', () => {
    const more = { left: [{ id: 'secrets', why: 'off' }], broken: [{ groupVersion: 'a/v1', error: 'gone' }], warnings: ['w'], pendingBytes: 9 };
    const { left, broken, warnings, pendingBytes } = merge(statusOf([], more), statusOf([], { ...more, warnings: ['w', 'x'] }));
    expect({ left, broken, warnings, pendingBytes }).toEqual({ ...more, warnings: ['w', 'x'] });
  });

  test('the copy is as old as its oldest shard, and has no age while one of them is not complete', () => {
    expect(copyAge(merge(statusOf([kindIn({ ageMs: 10 })]), statusOf([kindIn({ ageMs: 30 })])))).toBe(30);
    expect(copyAge(merge(statusOf([kindIn()]), statusOf([kindIn({ complete: false })], { phase: 'syncing' })))).toBeNull();
  });
});
