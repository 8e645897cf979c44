import { describe, expect, test } from 'vitest';
import { failureOf, isExpired, isTooLarge } from '../../src/reflector/failure.ts';
import { ApiError } from '../../src/model/errors.ts';
import {
  answer,
  EXPIRED,
  failed,
  MachineDriver,
  opened,
  page,
  REFUSED,
  RESET,
  room,
  start,
  stop,
  THROTTLED,
  TOO_LARGE,
  wake,
  watchingFrom,
} from './machine-driver.ts';

/** A first list that has read page 1 of a chain at revision 10 and asks for page 2. */
const secondPage = (): MachineDriver => new MachineDriver().give(start(), room, opened, page('10', 'a'), room);

describe('a paged list', () => {
  test('RF-S1 (stricter): the first list asks for the newest state in pages of 500, not for revision "0", whose limit servers ignore', () => {
    expect(new MachineDriver().give(start(), room).requests).toEqual(['list limit=500']);
  });

  test('RF-S5, RF-T13: later pages send limit and continue only, and the chain is followed to its end', () => {
    const machine = new MachineDriver({ pageSize: 4 }).give(start(), room, opened, page('10', 'a'), room, opened, page('10', 'b'), room, opened, page('10'));
    expect(machine.requests).toEqual(['list limit=4', 'list limit=4 continue=a', 'list limit=4 continue=b', 'watch "10"']);
    expect(machine.lists).toEqual(['begin first', 'end 10']);
  });

  test('RF-S6: the revision of the list is that of its first page, whatever later pages say', () => {
    const machine = secondPage().give(opened, page('12', 'b'), room, opened, page('13'));
    expect(machine.lists).toEqual(['begin first', 'end 10']);
    expect(machine.requests.at(-1)).toBe('watch "10"');
  });

  test('RF-S8: the revision is published after the last page and before the watch is asked', () => {
    const machine = secondPage();
    expect(machine.history.some((effect) => effect.do === 'listEnd' || effect.do === 'progress')).toBe(false);
    machine.give(opened, page('10'));
    expect(machine.did).toEqual(['listEnd', 'watch']);
  });

  test('each page waits until the sink has room; a watch does not', () => {
    const machine = new MachineDriver().give(start());
    expect(machine.did).toEqual(['awaitRoom']);
    machine.give(room, opened, page('10', 'a'));
    expect(machine.did).toEqual(['awaitRoom']);
    machine.give(room, opened, page('10'));
    expect(machine.did).toEqual(['listEnd', 'watch']);
  });

  test('waiting for room is not silence: the watchdog of a page starts with its request', () => {
    const machine = new MachineDriver().give(start()).after(3_600_000, wake);
    expect(machine.state.at).toBe('listing');
    machine.give(room).after(machine.options.pageIdleMs - 1, wake);
    expect(machine.state.at).toBe('listing');
    machine.after(1, wake);
    expect(machine.did).toEqual(['close']);
    expect(machine.state.at).toBe('waiting');
  });

  test('RF-S2 (stricter): a relist asks like a first list, so that it is paged and newest', () => {
    const machine = watchingFrom('10').give({ type: 'errorEvent', failure: EXPIRED });
    machine.waitOut();
    machine.give(room);
    expect(machine.requests).toEqual(['list limit=500', 'watch "10"', 'list limit=500']);
    expect(machine.give(opened).lists).toEqual(['begin first', 'end 10', 'begin expired']);
  });
});

describe('a list whose continue token is refused', () => {
  test('RF-S3: the first time the chain is begun again at once and from scratch; nothing is concluded from the old pages', () => {
    const machine = secondPage().give(failed(EXPIRED), room, opened);
    expect(machine.requests).toEqual(['list limit=500', 'list limit=500 continue=a', 'list limit=500']);
    expect(machine.lists).toEqual(['begin first', 'abort', 'begin first']);
  });

  test('RF-S5, RF-T18: the second time in a row the list is streamed; when that is refused too, one list without limit', () => {
    const machine = secondPage().give(failed(EXPIRED), room, opened, page('11', 'b'), room, failed(EXPIRED));
    expect(machine.requests.at(-1)).toBe('stream ""');
    machine.give(failed(answer(422)), room);
    expect(machine.requests.at(-1)).toBe('list');
    machine.give(opened, page('12'));
    expect(machine.lists).toEqual(['begin first', 'abort', 'begin first', 'abort', 'begin first', 'end 12']);
  });

  test('a full list that fails backs off and begins a new round with pages', () => {
    const machine = secondPage().give(failed(EXPIRED), room, opened, page('11', 'b'), room, failed(EXPIRED), failed(answer(422)), room, failed(RESET));
    expect(machine.waitOut()).toBe(800);
    expect(machine.give(room).requests.at(-1)).toBe('list limit=500');
  });

  test('a 400 for the token counts like a 410: the server does not know it', () => {
    expect(secondPage().give(failed(answer(400))).state).toMatchObject({ at: 'listing', page: 1, plan: { lostTokens: 1 } });
  });

  test('a list that never ends, because a page gives back the token it was asked with, is given up', () => {
    const machine = secondPage().give(opened, page('10', 'a'));
    expect(machine.state.at).toBe('waiting');
    expect(machine.lists).toEqual(['begin first', 'abort']);
  });

  test('a 410 for the first page waits, and the second one changes the way of listing', () => {
    const machine = new MachineDriver().give(start(), room, failed(EXPIRED));
    machine.waitOut();
    machine.give(room, failed(EXPIRED));
    machine.waitOut();
    expect(machine.requests).toEqual(['list limit=500', 'list limit=500', 'stream ""']);
  });
});

describe('a list that is refused or breaks', () => {
  test('a page that breaks in its middle aborts the list; it begins again later, from page 1', () => {
    const machine = secondPage().give(opened, failed(RESET));
    expect(machine.did).toEqual(['listAbort']);
    machine.waitOut();
    machine.give(room);
    expect(machine.requests.at(-1)).toBe('list limit=500');
    expect(machine.lists).toEqual(['begin first', 'abort']);
  });

  test('RF-S17: a later page refused with 429 before its first byte is asked for again, and the pages read so far stay', () => {
    const machine = secondPage().give(failed(THROTTLED));
    expect(machine.did).toEqual([]);
    expect(machine.waitOut()).toBe(800);
    machine.give(room, opened, page('10'));
    expect(machine.requests.slice(0, 3)).toEqual(['list limit=500', 'list limit=500 continue=a', 'list limit=500 continue=a']);
    expect(machine.lists).toEqual(['begin first', 'end 10']);
  });

  test('the same page is not asked for without end: after five refusals the list is aborted', () => {
    const machine = secondPage();
    for (let refusals = 1; refusals < 5; refusals++) {
      machine.give(failed(THROTTLED));
      expect(machine.lists).toEqual(['begin first']);
      machine.waitOut();
      machine.give(room);
    }
    expect(machine.give(failed(THROTTLED)).lists).toEqual(['begin first', 'abort']);
  });

  test('RF-S4, RF-T19: "too large" for a later page (a server that lags) is waited for, keeping the pages', () => {
    const machine = secondPage().give(failed(TOO_LARGE));
    expect(machine.state).toMatchObject({ at: 'waiting', next: { go: 'page' } });
  });

  test('RF-S4: "too large" is recognised in its three generations, and nothing else is', () => {
    const http = (message: string, fields: { status: number; reason?: string; causes?: readonly string[] }): boolean =>
      isTooLarge(failureOf(new ApiError(message, fields)));
    expect(http('', { status: 504, reason: 'Timeout', causes: ['ResourceVersionTooLarge'] })).toBe(true);
    expect(http('Timeout: x', { status: 504, reason: 'Timeout', causes: ['Too large resource version'] })).toBe(true);
    expect(http('Timeout: Too large resource version: 1005, current: 205', { status: 504 })).toBe(true);
    expect(http('gateway timeout', { status: 504 })).toBe(false);
    expect(http('Too large resource version', { status: 500 })).toBe(false);
    expect(isTooLarge(RESET)).toBe(false);
  });

  test('RF-S3: both shapes of 410 are the same failure, and an old Gone as well', () => {
    expect(isExpired(failureOf(new ApiError('x', { status: 410 })))).toBe(true);
    expect(isExpired(answer(0, { reason: 'Expired' }))).toBe(true);
    expect(isExpired(answer(0, { reason: 'Gone' }))).toBe(true);
    expect(isExpired(answer(404, { message: 'too old resource version' }))).toBe(false);
  });

  for (const status of [401, 403, 404, 405]) {
    test(`${status}: the list is asked again with growing pauses, never began in the sink, and nothing is concluded`, () => {
      const machine = new MachineDriver().give(start());
      const waits: number[] = [];
      for (let tries = 0; tries < 8; tries++) {
        machine.give(room, failed(answer(status)));
        waits.push(machine.waitOut());
      }
      expect(waits).toEqual([800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
      expect(machine.lists).toEqual([]);
      expect(machine.history.filter((effect) => effect.do === 'status' && effect.status.at === 'waiting' && effect.status.httpStatus === status)).toHaveLength(
        8,
      );
    });
  }

  test('a list without a usable revision is given up, not ended', () => {
    const machine = new MachineDriver().give(start(), room, opened, page(''));
    expect(machine.lists).toEqual(['begin first', 'abort']);
    expect(machine.state.at).toBe('waiting');
  });

  test('RF-S7: stop during a list, and during the wait between two pages, ends it with an abort', () => {
    expect(secondPage().give(stop).did).toEqual(['close', 'listAbort']);
    expect(secondPage().give(failed(THROTTLED), stop).did).toEqual(['close', 'listAbort']);
    expect(new MachineDriver().give(start(), room, failed(REFUSED), stop).did).toEqual(['close']);
  });
});

describe('a list that is older than what is known', () => {
  test('is aborted and begun again as regressed, so that the sink lets older objects in', () => {
    const machine = watchingFrom('1005').give({ type: 'errorEvent', failure: EXPIRED });
    machine.waitOut();
    machine.give(room, opened, page('205', 'a'));
    expect(machine.lists.slice(2)).toEqual(['begin expired', 'abort']);
    machine.give(room, opened, page('205'));
    expect(machine.lists.slice(2)).toEqual(['begin expired', 'abort', 'begin regressed', 'end 205']);
    expect(machine.requests.at(-1)).toBe('watch "205"');
  });

  test('is compared as decimals of any length, not as numbers or text', () => {
    const machine = watchingFrom('9').give({ type: 'errorEvent', failure: EXPIRED });
    machine.waitOut();
    machine.give(room, opened, page('10'));
    expect(machine.lists.slice(2)).toEqual(['begin expired', 'end 10']);
  });
});

describe('a resync', () => {
  test('while watching closes the watch and lists with its reason', () => {
    const machine = watchingFrom('10').give({ type: 'resync', reason: 'rules' });
    expect(machine.did).toEqual(['close', 'awaitRoom']);
    expect(machine.give(room, opened).lists.at(-1)).toBe('begin rules');
  });

  test('while listing begins again; for the audit the running list is enough', () => {
    expect(secondPage().give({ type: 'resync', reason: 'rules' }).did).toEqual(['close', 'listAbort', 'awaitRoom']);
    expect(secondPage().give({ type: 'resync', reason: 'audit' }).did).toEqual([]);
  });

  test('while waiting changes what comes next, not when', () => {
    const machine = watchingFrom('10').give(failed(REFUSED));
    const until = machine.state.at === 'waiting' ? machine.state.until : 0;
    machine.give({ type: 'resync', reason: 'regressed' });
    expect(machine.state).toMatchObject({ at: 'waiting', until, next: { go: 'list', plan: { reason: 'regressed' } }, memory: { known: null } });
  });

  test('a list that is the first stays the first, unless history went back; regressed is not forgotten', () => {
    const machine = new MachineDriver().give(start(), { type: 'resync', reason: 'rules' }, room, opened);
    expect(machine.lists).toEqual(['begin first']);
    machine.give({ type: 'resync', reason: 'regressed' }, room, opened, { type: 'resync', reason: 'rules' }, room, opened);
    expect(machine.lists).toEqual(['begin first', 'abort', 'begin regressed', 'abort', 'begin regressed']);
  });

  test('before the start is remembered and wins over a stored watermark', () => {
    const machine = new MachineDriver().give({ type: 'resync', reason: 'rules' }, start('10'), room, opened);
    expect(machine.lists).toEqual(['begin rules']);
  });
});
