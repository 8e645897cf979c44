import { describe, expect, test } from 'vitest';
import { watchSeconds } from '../../src/reflector/options.ts';
import {
  answer,
  bookmark,
  ended,
  errorEvent,
  EXPIRED,
  failed,
  heard,
  initialEnd,
  MachineDriver,
  opened,
  page,
  reached,
  REFUSED,
  RESET,
  room,
  start,
  THROTTLED,
  TOO_LARGE,
  wake,
  watchingFrom,
} from './machine-driver.ts';

describe('a watch', () => {
  test('RF-S9, RF-T20: is asked from the last revision for a random time between m and 2m, m at least five minutes', () => {
    for (const [minimum, random, seconds] of [
      [0, 0, 300],
      [1, 0.5, 450],
      [300, 0.9999, 600],
      [1800, 0, 1800],
      [1800, 0.9999, 3600],
    ] as const) {
      expect(watchSeconds(minimum, random)).toBe(seconds);
    }
    const machine = new MachineDriver();
    machine.random = 0.5;
    expect(machine.give(start('10')).effects).toContainEqual({ do: 'watch', query: { resourceVersion: '10', timeoutSeconds: 450 } });
  });

  test('RF-S8, RF-S13, RF-T21: every event and bookmark moves the revision, and it is published as it moves', () => {
    const machine = watchingFrom('5').give(heard('10'), heard('20'), bookmark('30'), heard('40'));
    expect(machine.history.flatMap((effect) => (effect.do === 'progress' ? [effect.revision] : []))).toEqual(['10', '20', '30', '40']);
    machine.after(5000, ended);
    machine.waitOut();
    expect(machine.requests.at(-1)).toBe('watch "40"');
  });

  test('RF-S13, RF-T3: the revision follows the last event even when that is lower, so that nothing is skipped', () => {
    const machine = watchingFrom('50').give(heard('60'), heard('32')).after(5000, ended);
    machine.waitOut();
    expect(machine.requests.at(-1)).toBe('watch "32"');
  });

  test('RF-S14: bytes without a readable event count as a sign of life and move nothing', () => {
    const machine = watchingFrom('10').after(1000, heard(null, 0));
    expect(machine.state).toMatchObject({ at: 'watching', revision: '10', heardAt: machine.now });
  });

  test('a stored revision is watched from at the start, and nothing is listed', () => {
    const machine = new MachineDriver().give(start('77'), opened);
    expect(machine.requests).toEqual(['watch "77"']);
    expect(machine.lists).toEqual([]);
  });

  test('a stored revision that is too old leads to a list with reason expired', () => {
    const machine = new MachineDriver().give(start('77'), opened, errorEvent(EXPIRED));
    machine.waitOut();
    expect(machine.give(room, opened).lists).toEqual(['begin expired']);
  });
});

describe('the start of a watch', () => {
  for (const [name, failure] of [
    ['connection refused', REFUSED],
    ['connection reset', RESET],
    ['429', THROTTLED],
    ['401', answer(401)],
    ['403', answer(403)],
    ['404', answer(404)],
    ['405', answer(405)],
    ['500', answer(500)],
    ['503', answer(503)],
  ] as const) {
    test(`RF-S10, RF-T9: after ${name} the watch is asked again, four times if need be, with one list in all`, () => {
      const machine = watchingFrom('10');
      for (let tries = 0; tries < 4; tries++) {
        machine.give(failed(failure));
        expect(machine.state.at).toBe('waiting');
        machine.waitOut();
      }
      expect(machine.requests).toEqual(['list limit=500', ...Array<string>(5).fill('watch "10"')]);
    });
  }

  for (const [name, failure] of [
    ['HTTP 410', EXPIRED],
    ['too large', TOO_LARGE],
    ['400', answer(400)],
    ['422', answer(422)],
  ] as const) {
    test(`RF-S3, RF-S10: after ${name} a list follows, because the revision is in doubt`, () => {
      const machine = watchingFrom('10').give(failed(failure));
      machine.waitOut();
      expect(machine.give(room, opened).lists.at(-1)).toBe('begin expired');
    });
  }

  test('RF-T6: forty connection refusals wait between half and full cap each once the curve has reached it', () => {
    const machine = watchingFrom('10', { backoff: { baseMs: 1, capMs: 50, jitter: 1 } });
    let totalMs = 0;
    for (let tries = 0; tries < 40; tries++) {
      machine.random = (tries % 10) / 10;
      machine.give(failed(REFUSED));
      totalMs += machine.waitOut();
    }
    expect(totalMs).toBeGreaterThanOrEqual(34 * 50);
    expect(totalMs).toBeLessThanOrEqual(40 * 2 * 50);
  });
});

describe('an API server that was away', () => {
  function awayFor(tries: number, failure = REFUSED): MachineDriver {
    const machine = watchingFrom('10');
    for (let done = 0; done < tries; done++) {
      machine.give(failed(failure));
      if (done < tries - 1) machine.waitOut();
    }
    return machine;
  }

  test('and is back with a 410: the list follows after the first pause, not after the longest', () => {
    const machine = awayFor(8);
    machine.waitOut();
    machine.give(failed(EXPIRED));
    expect(machine.waitOut()).toBe(800);
    expect(machine.give(room, opened).lists.at(-1)).toBe('begin expired');
  });

  test('a storm of 410 itself still grows the pause, also after an absence', () => {
    const machine = awayFor(3);
    const waits: number[] = [];
    for (let tries = 0; tries < 4; tries++) {
      machine.waitOut();
      if (machine.state.at === 'listing') machine.give(room, opened, page('20'), opened);
      machine.give(errorEvent(EXPIRED));
      waits.push(machine.state.at === 'waiting' ? machine.state.until - machine.now : 0);
    }
    expect(waits).toEqual([800, 1600, 3200, 6400]);
  });

  for (const [name, failure] of [
    ['refused connections', REFUSED],
    ['a gateway that answers 503 for it', answer(503)],
  ] as const) {
    test(`after ${name}: somebody has reached it, and the watch is asked again within a second`, () => {
      const machine = awayFor(8, failure);
      machine.random = 0.25;
      machine.after(10, reached);
      expect(machine.waitOut()).toBe(250);
      expect(machine.requests.at(-1)).toBe('watch "10"');
    });
  }

  test('is reached by another: a wait that ends sooner is not made longer, and the next failure waits as long as ever', () => {
    const machine = awayFor(1);
    machine.random = 0.99;
    machine.after(700, reached);
    expect(machine.waitOut()).toBe(100);
    machine.random = 0;
    machine.give(failed(REFUSED));
    expect(machine.waitOut()).toBe(1600);
  });

  for (const [name, failure] of [
    ['403', answer(403)],
    ['429', THROTTLED],
    ['503 with a time to come back', answer(503, { retryAfterMs: 20_000 })],
    ['too large a revision', TOO_LARGE],
  ] as const) {
    test(`another has reached it: who waits for ${name} goes on waiting`, () => {
      const machine = awayFor(5, failure);
      const before = machine.state;
      expect(machine.after(10, reached).state).toBe(before);
      expect(machine.effects).toEqual([]);
    });
  }
});

describe('an ERROR event', () => {
  test('RF-S11: 410 leads to a list after a jittered pause, since a restarting server sends it to every watch', () => {
    const machine = watchingFrom('10');
    machine.random = 0.5;
    machine.give(errorEvent(EXPIRED));
    expect(machine.did).toEqual(['close']);
    expect(machine.waitOut()).toBe(1200);
    expect(machine.give(room, opened).lists.at(-1)).toBe('begin expired');
  });

  test('RF-S11, RF-T8: 429 leads to the watch again, after a pause, both at the start and inside the stream', () => {
    const machine = watchingFrom('10').give(heard('11'), failed(THROTTLED));
    machine.waitOut();
    machine.give(opened, errorEvent(THROTTLED));
    machine.waitOut();
    expect(machine.requests).toEqual(['list limit=500', 'watch "10"', 'watch "11"', 'watch "11"']);
    expect(machine.history.filter((effect) => effect.do === 'note' && effect.note.what === 'failed')).toHaveLength(2);
  });

  test('RF-S11, RF-T10, RF-T23: a 500 such as StorageReadError leads to a list, without immediate retries', () => {
    const machine = watchingFrom('10').give(errorEvent(answer(500, { reason: 'StorageReadError' })));
    expect(machine.waitOut()).toBe(800);
    expect(machine.give(room, opened).lists.at(-1)).toBe('begin expired');
  });

  test('a DELETED event that cannot be read forces a list: the delete must not be lost', () => {
    const machine = watchingFrom('10').give({ type: 'deleteLost' });
    expect(machine.did).toEqual(['close']);
    machine.waitOut();
    expect(machine.give(room, opened).lists.at(-1)).toBe('begin audit');
  });
});

describe('the end of a watch', () => {
  test('RF-S12: after a clean end it is asked again from the last revision within a small jitter, and no failure is counted', () => {
    const machine = watchingFrom('10').give(heard('11'));
    machine.random = 0.5;
    machine.after(300_000, ended);
    expect(machine.history.some((effect) => effect.do === 'note')).toBe(false);
    expect(machine.waitOut()).toBe(125);
    expect(machine.requests.at(-1)).toBe('watch "11"');
    expect(machine.state).toMatchObject({ memory: { failures: 0 } });
  });

  test('RF-S12, RF-T2: a very short watch without events is a failure; the third in a row leads to a list', () => {
    const machine = watchingFrom('10');
    const waits: number[] = [];
    for (let tries = 0; tries < 3; tries++) {
      if (tries > 0) machine.give(opened);
      machine.after(10, tries === 1 ? failed(RESET) : ended);
      waits.push(machine.waitOut());
    }
    expect(waits).toEqual([800, 1600, 3200]);
    expect(machine.requests).toEqual(['list limit=500', 'watch "10"', 'watch "10"', 'watch "10"']);
    expect(machine.give(room, opened).lists.at(-1)).toBe('begin expired');
  });

  test('RF-S12: an event, or a second of life, ends a row of very short watches', () => {
    for (const good of [(machine: MachineDriver) => machine.give(heard('11'), ended), (machine: MachineDriver) => machine.after(1000, ended)]) {
      const machine = watchingFrom('10').give(ended);
      machine.waitOut();
      good(machine.give(opened));
      machine.waitOut();
      machine.give(opened, ended);
      machine.waitOut();
      machine.give(opened, ended);
      machine.waitOut();
      expect(machine.requests.every((request) => !request.startsWith('list') || request === machine.requests[0])).toBe(true);
      expect(machine.requests).toHaveLength(6);
      expect(machine.state.at).toBe('watching');
    }
  });

  test('short watches that do bring events are spaced by the base delay: no storm of requests', () => {
    const machine = watchingFrom('10').give(heard('11'), ended);
    expect(machine.waitOut()).toBe(800);
    expect(machine.state).toMatchObject({ memory: { failures: 0 } });
  });
});

describe('the backoff', () => {
  test('RF-S16: grows from 0.8 s to 30 s with up to 100 % jitter', () => {
    for (const [random, expected] of [
      [0, [800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]],
      [0.5, [1200, 2400, 4800, 9600, 19_200, 38_400, 45_000, 45_000]],
    ] as const) {
      const machine = watchingFrom('10');
      machine.random = random;
      expect(expected.map(() => machine.give(failed(REFUSED)).waitOut())).toEqual(expected);
    }
  });

  test('RF-S16, RF-T7: a configured curve without jitter is followed exactly', () => {
    const machine = watchingFrom('10', { backoff: { baseMs: 10, capMs: 100, jitter: 0 } });
    machine.random = 0.9;
    expect([1, 2, 3, 4, 5].map(() => machine.give(failed(REFUSED)).waitOut())).toEqual([10, 20, 40, 80, 100]);
  });

  test('RF-S16: is forgotten after two minutes of an accepted watch, also across clean ends, and not sooner', () => {
    const machine = watchingFrom('10');
    for (let tries = 0; tries < 4; tries++) machine.give(failed(REFUSED)).waitOut();
    machine.give(opened).after(60_000, ended);
    machine.waitOut();
    machine.give(opened).after(59_000, failed(RESET));
    expect(machine.waitOut()).toBe(12_800);
    machine.give(opened).after(60_000, ended);
    machine.waitOut();
    machine.give(opened).after(60_000, failed(RESET));
    expect(machine.waitOut()).toBe(800);
  });

  test('RF-S16: lists that succeed between watches that fail do not make it forget', () => {
    const machine = watchingFrom('10');
    const waits: number[] = [];
    for (let tries = 0; tries < 4; tries++) {
      machine.give(errorEvent(EXPIRED));
      waits.push(machine.waitOut());
      machine.give(room, opened, { type: 'pageDone', revision: '10', continue: null }, opened);
    }
    expect(waits).toEqual([800, 1600, 3200, 6400]);
  });

  test('RF-S17: a Retry-After is waited for, spread a little, and cut to five minutes', () => {
    const waitAfter = (retryAfterMs: number, random: number): number => {
      const machine = watchingFrom('10');
      machine.random = random;
      return machine.give(failed(answer(429, { retryAfterMs }))).waitOut();
    };
    expect(waitAfter(10_000, 0)).toBe(10_000);
    expect(waitAfter(10_000, 0.5)).toBe(12_500);
    expect(waitAfter(100, 0)).toBe(800);
    expect(waitAfter(86_400_000, 0)).toBe(300_000);
  });
});

describe('the watchdog', () => {
  test('RF-S18: a kind that sends bookmarks may be silent for five minutes, not longer; the watch is asked again without a list', () => {
    const machine = watchingFrom('10').give(bookmark('12'));
    const heardAt = machine.now;
    expect(machine.effects).toContainEqual({ do: 'wakeAt', at: heardAt + 300_000 });
    machine.after(299_999, wake);
    expect(machine.state.at).toBe('watching');
    machine.after(1, wake);
    expect(machine.did).toEqual(['close']);
    machine.waitOut();
    expect(machine.requests.at(-1)).toBe('watch "12"');
  });

  test('RF-S18: a kind without bookmarks, such as events, may be silent until the asked time and a margin', () => {
    const machine = watchingFrom('10').after(314_999, wake);
    expect(machine.state.at).toBe('watching');
    expect(machine.after(1, wake).did).toEqual(['close']);
  });

  test('RF-S18: an early look finds that bytes came and looks again when it is due', () => {
    const machine = watchingFrom('10').give(bookmark('12')).after(200_000, heard('13')).after(100_000, wake);
    expect(machine.effects).toEqual([{ do: 'wakeAt', at: machine.now + 200_000 }]);
  });

  test('RF-S18: a watch that is never answered is given up after a minute', () => {
    const machine = new MachineDriver().give(start('10')).after(59_999, wake);
    expect(machine.state.at).toBe('watching');
    machine.after(1, wake);
    expect(machine.did).toEqual(['close']);
  });
});

describe('words that come too late', () => {
  test('RF-S15: a second opening, a stray end bookmark and the end of a closed request change nothing that matters', () => {
    const machine = watchingFrom('10');
    const before = machine.state;
    expect(machine.give(opened).state).toBe(before);
    expect(machine.give(initialEnd('11')).state).toMatchObject({ at: 'watching', revision: '11' });
    machine.give({ type: 'resync', reason: 'audit' });
    const listing = machine.state;
    expect(machine.give(ended, errorEvent(EXPIRED), initialEnd('99')).state).toBe(listing);
  });
});
