import { expect, test } from 'vitest';
import { silentLogger } from '../../src/kit/log.ts';
import { seededRandom } from '../../src/kit/random.ts';
import { FAILURES, REFUSED } from '../../src/worker/breaker.ts';
import { type Line, StorageGate } from '../../src/worker/gate.ts';
import { ManualClock, settled } from '../support/manual-clock.ts';

class Hall {
  readonly clock = new ManualClock();
  readonly gate = new StorageGate({ clock: this.clock, random: seededRandom(1), log: silentLogger });
  /** Who was woken, in order. */
  readonly woken: string[] = [];

  /** Fails until the gate is open. */
  open(): void {
    for (let index = 0; index < FAILURES; index++) this.gate.leave(this.gate.enter(), 'failed', 'away', true);
    expect(this.gate.isOpen).toBe(true);
  }

  async probeIsDue(): Promise<void> {
    await this.clock.advanceAsync(this.clock.nextInMs ?? 0);
  }

  wait(name: string, parts: { readonly hasWork?: boolean; readonly isImpatient?: boolean } = {}): Line {
    const line: Line = { hasWork: () => parts.hasWork ?? true, isImpatient: () => parts.isImpatient ?? false };
    void this.gate.turn(line).then(() => this.woken.push(name));
    return line;
  }
}

test('while it is closed nobody waits, and a failed batch is shown before it opens anything', async () => {
  const { gate, clock } = new Hall();
  const first = gate.enter();
  clock.advance(500);
  gate.leave(first, 'failed', 'disk full', true);
  clock.advance(1_000);
  expect(gate.status()).toEqual({ open: false, since: clock.wall() - 1_000, failingMs: 1_000, error: 'disk full' });
  gate.leave(gate.enter(), 'settled', '', false);
  expect(gate.status()).toEqual({ open: false, since: null, failingMs: 0, error: null });
  expect(clock.pending).toBe(0);
});

test('one is woken for the probe, in order of arrival; those without work are sent off on the way and take up no place', async () => {
  const hall = new Hall();
  hall.open();
  hall.wait('idle', { hasWork: false });
  hall.wait('first');
  hall.wait('second');
  await hall.probeIsDue();
  expect(hall.woken).toEqual(['idle', 'first']);
  expect(hall.gate.enter()).not.toBe(REFUSED);
  await hall.clock.advanceAsync(60_000);
  expect(hall.woken).toEqual(['idle', 'first']);
});

test('whoever was woken and does not come in loses its turn to the next', async () => {
  const hall = new Hall();
  hall.open();
  hall.wait('first');
  hall.wait('second');
  await hall.probeIsDue();
  expect(hall.woken).toEqual(['first']);
  await hall.clock.advanceAsync(100);
  expect(hall.woken).toEqual(['first', 'second']);
});

test('a probe that succeeds lets two in, although the one who made it has nothing left: the others count', async () => {
  const hall = new Hall();
  hall.open();
  for (const name of ['first', 'second', 'third', 'fourth']) hall.wait(name);
  await hall.probeIsDue();
  hall.gate.leave(hall.gate.enter(), 'settled', '', false);
  await settled();
  expect(hall.woken).toEqual(['first', 'second', 'third']);
  const inside = [hall.gate.enter(), hall.gate.enter()];
  expect([inside.includes(REFUSED), hall.gate.enter()]).toEqual([false, REFUSED]);
});

test('who will not wait for another try is woken when one fails, whoever made it', async () => {
  const hall = new Hall();
  hall.open();
  hall.wait('prober');
  hall.wait('patient');
  hall.wait('impatient', { isImpatient: true });
  await hall.probeIsDue();
  hall.gate.leave(hall.gate.enter(), 'failed', 'away', true);
  await settled();
  expect(hall.woken).toEqual(['prober', 'impatient']);
});

test('a line that is dismissed waits no longer, and leaves no timer behind', async () => {
  const hall = new Hall();
  hall.open();
  const line = hall.wait('mine');
  hall.wait('other');
  hall.gate.dismiss(line);
  await settled();
  expect([hall.woken, hall.clock.pending]).toEqual([['mine'], 1]);
  const alone = new Hall();
  alone.open();
  alone.gate.dismiss(alone.wait('mine'));
  expect(alone.clock.pending).toBe(0);
});

test('the outage began with its first failed batch, and a late answer from before it ends nothing', async () => {
  const hall = new Hall();
  const late = hall.gate.enter();
  hall.open();
  const since = hall.clock.wall();
  hall.clock.advance(100);
  hall.gate.leave(late, 'settled', '', true);
  expect(hall.gate.status()).toEqual({ open: true, since, failingMs: 100, error: 'away' });
});
