import { spawn as spawnChild } from 'node:child_process';
import { systemClock } from '../../src/kit/clock.ts';
import { guard } from './guard.ts';

/** What a child left behind. */
export interface Exit {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A child process of a test: its output is kept, its life is bounded, and it never outlives the test process. */
export interface Child extends AsyncDisposable {
  readonly pid: number;
  /** What was printed so far. */
  stdout(): string;
  stderr(): string;
  /** Resolves when the process has ended and its output is read to the end; does not reject. */
  readonly exited: Promise<Exit>;
  /** Resolves with the match as soon as stdout (or stderr) matches; rejects when the child ends, or `withinMs` passes, without it. */
  printed(pattern: RegExp, options?: { readonly on?: 'stdout' | 'stderr'; readonly withinMs?: number }): Promise<RegExpExecArray>;
  /** Does nothing when it has ended already. */
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL when it has not ended `graceMs` later (default 5,000). Resolves when it has ended. */
  stop(graceMs?: number): Promise<Exit>;
}

export interface SpawnOptions {
  readonly cwd?: string | undefined;
  /** Added to the environment of the test; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Written to its standard input, which is then closed. */
  readonly stdin?: string | undefined;
  /** The child is killed when it lives longer. Default 60,000. */
  readonly withinMs?: number | undefined;
}

/** At most this much of either output is kept, its end: enough for every message, and a chatty child cannot fill the memory. */
const OUTPUT_CHARS = 4 * 1024 * 1024;

/** Starts `command` without a shell. */
export function spawn(command: string, args: readonly string[], options: SpawnOptions = {}): Child {
  const child = spawnChild(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  guard(child);
  const output = { stdout: '', stderr: '' };
  const watchers = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8');
    child[name].on('data', (text: string) => {
      output[name] = (output[name] + text).slice(-OUTPUT_CHARS);
      for (const look of watchers) look();
    });
  }
  // A child that does not read its input closes the pipe: its exit code tells more than this EPIPE.
  child.stdin.on('error', () => {});
  child.stdin.end(options.stdin ?? '');

  const { withinMs = 60_000 } = options;
  const cancelBound = systemClock.after(withinMs, () => {
    output.stderr += `\n(killed by the test: still running after ${withinMs} ms)\n`;
    child.kill('SIGKILL');
  });
  const exited = new Promise<Exit>((resolve) => {
    const end = (code: number | null, signal: NodeJS.Signals | null): void => {
      cancelBound();
      resolve({ code, signal, ...output });
    };
    child.once('error', (cause) => {
      output.stderr += `Cannot start ${command}: ${cause.message}\n`;
      if (child.pid === undefined) end(null, null);
    });
    child.once('close', end);
  });

  const stop = async (graceMs = 5_000): Promise<Exit> => {
    child.kill('SIGTERM');
    const cancel = systemClock.after(graceMs, () => child.kill('SIGKILL'));
    const exit = await exited;
    cancel();
    return exit;
  };

  return {
    pid: child.pid ?? -1,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    exited,
    printed(pattern, { on = 'stdout', withinMs: boundMs = 30_000 } = {}) {
      return new Promise((resolve, reject) => {
        const settle = (act: () => void): void => {
          watchers.delete(look);
          cancel();
          act();
        };
        const look = (): void => {
          const match = pattern.exec(output[on]);
          if (match !== null) settle(() => resolve(match));
        };
        const fail = (why: string): void => {
          settle(() =>
            reject(
              new Error(
                `Waited for ${pattern} on ${on} of ${command}, but ${why}. stdout: ${output.stdout.slice(-2_000)} stderr: ${output.stderr.slice(-2_000)}`,
              ),
            ),
          );
        };
        const cancel = systemClock.after(boundMs, () => fail(`${boundMs} ms passed`));
        watchers.add(look);
        look();
        void exited.then((exit) => {
          look();
          if (watchers.has(look)) fail(`it ended with ${exit.code ?? exit.signal}`);
        });
      });
    },
    signal(signal) {
      child.kill(signal);
    },
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

/** Runs `command` to its end, whatever its exit code. */
export function run(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<Exit> {
  return spawn(command, args, options).exited;
}

/** Runs `command` to its end and returns its stdout; throws with both outputs when it fails. */
export async function runOk(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<string> {
  const exit = await run(command, args, options);
  if (exit.code !== 0) {
    throw new Error(`${command} ${args.join(' ')} ended with ${exit.code ?? exit.signal}: ${exit.stderr.slice(-4_000)} ${exit.stdout.slice(-2_000)}`);
  }
  return exit.stdout;
}
