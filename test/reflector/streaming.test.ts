import { describe, expect, test } from 'vitest';
import {
  answer,
  ended,
  errorEvent,
  EXPIRED,
  failed,
  heard,
  initialEnd,
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
} from './machine-driver.ts';

const streaming = (): MachineDriver => new MachineDriver({ firstList: 'streaming' }).give(start());

describe('a streaming list', () => {
  test('WL-S1 (ours): is asked for only when configured or when paging failed; the default is paged', () => {
    expect(streaming().requests).toEqual(['stream ""']);
    expect(new MachineDriver().give(start(), room).requests).toEqual(['list limit=500']);
  });

  test('WL-S2: asks for "" at first and for the last revision afterwards', () => {
    const machine = streaming().give(opened, initialEnd('10'), errorEvent(EXPIRED));
    machine.waitOut();
    expect(machine.requests).toEqual(['stream ""', 'stream "10"']);
  });

  test('WL-S3, WL-T2: is complete at the end bookmark, and the same stream goes on as the watch', () => {
    const machine = streaming().give(opened, heard('9', 2));
    expect(machine.lists).toEqual(['begin first']);
    machine.give(initialEnd('10'));
    expect(machine.did).toEqual(['listEnd']);
    machine.give(heard('11'));
    expect(machine.effects).toContainEqual({ do: 'progress', revision: '11' });
    expect(machine.requests).toEqual(['stream ""']);
  });

  test('RF-S13, WL-S3, WL-T1: initial events and bookmarks before the end never move the revision', () => {
    const machine = streaming().give(opened, heard('9', 3), { type: 'heard', revision: '12', events: 0, bookmark: true });
    expect(machine.history.some((effect) => effect.do === 'progress' || effect.do === 'listEnd')).toBe(false);
  });

  test('WL-S4, WL-T6: a stream that ends or breaks before the end bookmark is aborted and begun from scratch', () => {
    for (const end of [ended, failed(RESET)]) {
      const machine = streaming().give(opened, heard('9', 2), end);
      expect(machine.did).toEqual(['listAbort']);
      machine.waitOut();
      expect(machine.requests).toEqual(['stream ""', 'stream ""']);
    }
  });

  test('WL-S4, WL-T6: a stream that ends after it is followed by a plain watch from the last revision', () => {
    const machine = streaming().give(opened, initialEnd('10'), heard('11')).after(60_000, ended);
    machine.waitOut();
    expect(machine.requests).toEqual(['stream ""', 'watch "11"']);
  });

  test('WL-S4 (stricter): the second stream that breaks half-way gives way to pages', () => {
    const machine = streaming().give(opened, failed(RESET));
    machine.waitOut();
    machine.give(opened, ended);
    machine.waitOut();
    expect(machine.give(room).requests).toEqual(['stream ""', 'stream ""', 'list limit=500']);
  });

  test('WL-S4, WL-T5: refused connections and 429 are waited for and asked again, without a list', () => {
    const machine = streaming();
    for (const failure of [THROTTLED, REFUSED, THROTTLED, REFUSED]) {
      machine.give(failed(failure));
      machine.waitOut();
    }
    expect(machine.requests).toEqual(Array<string>(5).fill('stream ""'));
  });

  for (const [name, failure] of [
    ['410', EXPIRED],
    ['too large', TOO_LARGE],
  ] as const) {
    test(`WL-S4: after ${name} the stream is asked for "" at once; when that is refused too, pages`, () => {
      for (const say of [failed, errorEvent]) {
        const machine = streaming().give(opened, initialEnd('10'), errorEvent(EXPIRED));
        machine.waitOut();
        machine.give(opened, say(failure));
        expect(machine.requests).toEqual(['stream ""', 'stream "10"', 'stream ""']);
        machine.give(opened, say(failure), room);
        expect(machine.requests.at(-1)).toBe('list limit=500');
      }
    });
  }

  for (const status of [422, 400, 403, 405, 500]) {
    test(`WL-S4, WL-T4: after ${status} this round lists by pages and then watches from that list; the next round streams again`, () => {
      const machine = streaming().give(failed(answer(status)), room, opened, page('10'), opened);
      expect(machine.requests).toEqual(['stream ""', 'list limit=500', 'watch "10"']);
      machine.give(errorEvent(EXPIRED));
      machine.waitOut();
      expect(machine.requests.at(-1)).toBe('stream "10"');
    });
  }

  test('WL-S5, WL-T9: while the end bookmark is missing this is noted every ten seconds, with what came so far', () => {
    const machine = streaming().after(10_000, wake);
    expect(machine.effects).toContainEqual({ do: 'note', note: { what: 'lateBookmark', events: 0, silentMs: 10_000 } });
    machine.give(opened, heard('9', 3)).after(10_000, wake);
    expect(machine.effects).toContainEqual({ do: 'note', note: { what: 'lateBookmark', events: 3, silentMs: 10_000 } });
    expect(machine.effects).toContainEqual({ do: 'wakeAt', at: machine.now + 10_000 });
  });

  test('WL-S5 (stricter): a stream that falls silent for a minute is closed, also when it was never answered', () => {
    for (const machine of [streaming(), streaming().give(opened)]) {
      machine.after(59_999, wake);
      expect(machine.state.at).toBe('streaming');
      machine.after(1, wake);
      expect(machine.state.at).toBe('waiting');
      expect(machine.did[0]).toBe('close');
    }
  });

  test('WL-S6: nothing is transformed twice, because there is no temporary store: objects go to the sink as they come', () => {
    const machine = streaming().give(opened);
    expect(machine.did).toEqual(['listBegin']);
    expect(machine.give(heard('9', 2), initialEnd('10')).did).toEqual(['listEnd']);
  });

  test('WL-S7 (ours is the audit): a resync for the audit lists again in production, and is not needed while a list runs', () => {
    expect(streaming().give({ type: 'resync', reason: 'audit' }).did).toEqual([]);
    expect(streaming().give(opened, initialEnd('10'), { type: 'resync', reason: 'audit' }).did).toEqual(['close', 'watch']);
  });

  test('WL-T7: a 410 on the watch afterwards deletes nothing by itself', () => {
    const machine = streaming().give(opened, initialEnd('10')).give(errorEvent(EXPIRED));
    expect(machine.lists).toEqual(['begin first', 'end 10']);
  });

  test('a bookmark older than what is known begins again as regressed', () => {
    const machine = streaming().give(opened, initialEnd('1005'), errorEvent(EXPIRED));
    machine.waitOut();
    machine.give(opened, errorEvent(TOO_LARGE), opened, initialEnd('205'), opened, initialEnd('205'));
    expect(machine.lists.slice(2)).toEqual(['begin expired', 'abort', 'begin expired', 'abort', 'begin regressed', 'end 205']);
    expect(machine.requests.at(-1)).toBe('stream ""');
  });

  test('an end bookmark without a revision ends nothing', () => {
    const machine = streaming().give(opened, initialEnd(''));
    expect(machine.did).toEqual(['close', 'listAbort']);
    expect(machine.state.at).toBe('waiting');
  });

  test('an unreadable DELETED inside the initial events makes them worthless', () => {
    expect(streaming().give(opened, { type: 'deleteLost' }).did).toEqual(['close', 'listAbort']);
  });

  test('stop inside the initial events aborts the list', () => {
    expect(streaming().give(opened, stop).did).toEqual(['close', 'listAbort']);
  });
});
