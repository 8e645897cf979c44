import { existsSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ManualClock } from './manual-clock.ts';
import { run, runOk, spawn } from './spawn.ts';
import { tempDir } from './temp-dir.ts';
import { until } from './until.ts';

const NODE = process.execPath;

describe('ManualClock', () => {
  test('runs timers in order of their time, then of their setting, each at its own now', () => {
    const clock = new ManualClock();
    const seen: string[] = [];
    clock.after(20, () => seen.push(`late at ${clock.now()}`));
    clock.after(10, () => seen.push(`first at ${clock.now()}`));
    clock.after(10, () => seen.push(`second at ${clock.now()}`));
    const cancel = clock.after(15, () => seen.push('cancelled'));
    cancel();
    clock.advance(19);
    expect(seen).toEqual(['first at 10', 'second at 10']);
    expect(clock.nextInMs).toBe(1);
    clock.advance(1);
    expect(seen.at(-1)).toBe('late at 20');
    expect(clock.pending).toBe(0);
  });

  test('advance also runs what a timer sets inside the span', () => {
    const clock = new ManualClock();
    let ran = 0;
    const again = (): void => {
      ran += 1;
      if (ran < 5) clock.after(10, again);
    };
    clock.after(10, again);
    clock.advance(35);
    expect(ran).toBe(3);
  });

  test('advanceAsync keeps a loop of sleeps turning', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    let turns = 0;
    const loop = (async () => {
      while (!stop.signal.aborted) {
        await clock.sleep(10, stop.signal);
        turns += 1;
      }
    })();
    await clock.advanceAsync(100);
    expect(turns).toBe(10);
    stop.abort();
    await loop;
    expect(clock.pending).toBe(0);
  });
});

describe('spawn', () => {
  test('keeps both outputs and the exit code, and hands the input over', async () => {
    const exit = await run(NODE, ['-e', 'process.stdin.pipe(process.stdout); console.error("oops"); process.exitCode = 3'], { stdin: 'in' });
    expect(exit).toEqual({ code: 3, signal: null, stdout: 'in', stderr: 'oops\n' });
  });

  test('printed() resolves on the first match and rejects when the child ends without one', async () => {
    await using child = spawn(NODE, ['-e', 'console.log("port 17"); setInterval(() => {}, 1000)']);
    expect((await child.printed(/port (\d+)/))[1]).toBe('17');
    const ended = child.printed(/never/);
    child.signal('SIGKILL');
    await expect(ended).rejects.toThrow(/ended with SIGKILL/);
  });

  test('a child past its bound is killed and says so', async () => {
    const exit = await run(NODE, ['-e', 'setInterval(() => {}, 1000)'], { withinMs: 300 });
    expect(exit.signal).toBe('SIGKILL');
    expect(exit.stderr).toContain('still running after 300 ms');
  });

  test('a program that does not exist ends with a message instead of hanging', async () => {
    await expect(runOk('/no/such/program', [])).rejects.toThrow(/Cannot start \/no\/such\/program/);
  });

  test('a child does not outlive a test process that was killed', async () => {
    const program = `
      import { spawn } from ${JSON.stringify(new URL('./spawn.ts', import.meta.url).href)};
      console.log('child ' + spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']).pid);
      setInterval(() => {}, 1000);`;
    await using parent = spawn(NODE, ['--input-type=module', '-e', program]);
    const pid = Number((await parent.printed(/child (\d+)/))[1]);
    expect(isAlive(pid)).toBe(true);
    parent.signal('SIGKILL');
    await until('the grandchild is gone', () => !isAlive(pid), { withinMs: 10_000, everyMs: 20 });
  });
});

test('a temporary folder is removed with all that is in it', () => {
  const dir = tempDir('support');
  writeFileSync(dir.file('a'), 'x');
  expect(existsSync(dir.path)).toBe(true);
  dir.remove();
  dir.remove();
  expect(existsSync(dir.path)).toBe(false);
});

test('until() tells what it waited for and what it saw last', async () => {
  await expect(until('pigs fly', () => false, { withinMs: 20, everyMs: 5 })).rejects.toThrow(/Waited 20 ms in vain until pigs fly; the last look found false/);
  let looks = 0;
  const found = await until(
    'the third look',
    () => {
      looks += 1;
      if (looks < 3) throw new Error('not yet');
      return looks;
    },
    { everyMs: 1 },
  );
  expect(found).toBe(3);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
