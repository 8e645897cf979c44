import { expect } from 'vitest';
import { parseCommandLine } from '../../../src/commands/command.ts';
import { verify } from '../../../src/commands/verify.ts';
import type { ControlPlane } from '../../cluster/control-plane.ts';
import { ROOT } from '../../support/readme.ts';
import { run, spawn } from '../../support/spawn.ts';
import type { Child, Exit } from '../../support/spawn.ts';
import { until } from '../../support/until.ts';
import { compareEveryObject } from './independent-comparison.ts';
import type { Comparison } from './independent-comparison.ts';

export interface MirrorOptions {
  readonly kubeconfig: string;
  /** Path of the SQLite file. */
  readonly database: string;
  /** More flags, for `run` and `verify` alike. */
  readonly flags?: readonly string[];
}

/** What `verify --json` says at its end. */
export interface Verdict {
  readonly code: number | null;
  readonly verdict: string;
  readonly differences: number;
  readonly unknown: number;
  readonly objects: number;
  readonly stdout: string;
}

/** Longer than any test file: a child that is forgotten ends by itself. */
const LIFE_MS = 600_000;
const QUIET_WITHIN_MS = 30_000;

/** kubefold as users run it: a process of its own that mirrors into a file. */
export class MirrorProcess implements AsyncDisposable {
  readonly url: string;
  readonly child: Child;
  readonly #options: MirrorOptions;

  private constructor(parts: { readonly child: Child; readonly url: string; readonly options: MirrorOptions }) {
    this.child = parts.child;
    this.url = parts.url;
    this.#options = parts.options;
  }

  /** Resolves when its address is known; whether it is ready is another question. */
  static async start(options: MirrorOptions): Promise<MirrorProcess> {
    const child = spawnMirror(options);
    const [, url = ''] = await child.printed(/"status":"(http:[^"]+)"/, { on: 'stderr' });
    return new MirrorProcess({ child, url, options });
  }

  static async startReady(options: MirrorOptions): Promise<MirrorProcess> {
    const mirror = await MirrorProcess.start(options);
    await mirror.ready();
    return mirror;
  }

  async get(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const answer = await fetch(`${this.url}${path}`);
    return { status: answer.status, text: await answer.text() };
  }

  async ready(withinMs = QUIET_WITHIN_MS): Promise<void> {
    try {
      await until('the mirror is ready', async () => (await this.get('/readyz')).status === 200, { withinMs });
    } catch (cause) {
      throw new Error(`It never became ready. The end of its log: ${this.child.stderr().slice(-4_000)}`, { cause });
    }
  }

  /** Until no kind waits or lists: what comes next is told by a watch. */
  async watchesAll(withinMs = 60_000): Promise<void> {
    const look = async (): Promise<boolean> => {
      const { kinds } = JSON.parse((await this.get('/status.json')).text) as { readonly kinds: readonly { readonly id: string; readonly state: string }[] };
      const others = kinds.filter(({ state }) => state !== 'watching').map(({ id, state }) => `${id} is ${state}`);
      if (others.length > 0 || kinds.length === 0) throw new Error(others.join(', '));
      return true;
    };
    await until('every kind is watched', look, { withinMs });
  }

  /** The sum of a metric's samples whose labels include `labels`, as `resource="pods"`. */
  async metric(name: string, ...labels: readonly string[]): Promise<number> {
    const { text } = await this.get('/metrics');
    const samples = text.split('\n').filter((line) => line.startsWith(`${name}{`) && labels.every((label) => line.includes(label)));
    return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  /** Runs `kubefold verify` with the same flags, against another file if one is named. */
  async verify(database = this.#options.database): Promise<Verdict> {
    const flags = flagsOf({ ...this.#options, database });
    const { code, stdout, stderr } = await run(process.execPath, ['src/main.ts', 'verify', ...flags, '--json'], {
      cwd: ROOT,
      withinMs: 90_000,
    });
    return verdictOf(code, stdout, stderr);
  }

  /**
   * How every case ends: within `withinMs` each object is exactly in its row, and nothing else is there, by the independent
   * comparison; and kubefold's own says the same.
   */
  async provesExact(plane: ControlPlane, withinMs = QUIET_WITHIN_MS): Promise<Comparison> {
    const comparison = await this.becomesEqual(plane, withinMs);
    const verdict = await this.verify();
    expect(verdict, verdict.stdout.slice(0, 4_000)).toMatchObject({ code: 0, verdict: 'equal', differences: 0, unknown: 0 });
    return comparison;
  }

  /** The independent half of provesExact(). */
  async becomesEqual(plane: ControlPlane, withinMs = QUIET_WITHIN_MS): Promise<Comparison> {
    const look = async (): Promise<Comparison> => {
      const comparison = await compareEveryObject(plane, this.#options.database);
      const { differences } = comparison;
      if (differences.length > 0) throw new Error(`${differences.length} differences: ${differences.slice(0, 10).join('; ')}`);
      return comparison;
    };
    try {
      return await until('the rows equal the cluster', look, { withinMs, everyMs: 250 });
    } catch (cause) {
      throw new Error(`${cause instanceof Error ? cause.message : cause}. The end of its log: ${this.child.stderr().slice(-3_000)}`, { cause });
    }
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    this.child.signal('SIGKILL');
    await this.child.exited;
  }

  /** SIGTERM; it must end in order. */
  async stop(): Promise<Exit> {
    const exit = await this.child.stop(30_000);
    expect(exit.code, exit.stderr.slice(-3_000)).toBe(0);
    return exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.stop(5_000);
  }
}

/** The process alone; for whoever kills it before it has an address. */
export function spawnMirror(options: MirrorOptions): Child {
  const args = ['src/main.ts', 'run', ...flagsOf(options), '--listen', '127.0.0.1:0', '--log-format', 'json'];
  return spawn(process.execPath, args, { cwd: ROOT, withinMs: LIFE_MS });
}

/** The command `kubefold verify` in this process, with no environment: what MirrorProcess.verify() says, without the half second of a start. */
export async function verifyHere(options: MirrorOptions): Promise<Verdict> {
  const output = { stdout: '', stderr: '' };
  const code = await verify.run(parseCommandLine(verify, [...flagsOf(options), '--json']), {
    stdout: (text) => {
      output.stdout += text;
    },
    stderr: (text) => {
      output.stderr += text;
    },
    env: {},
    home: '/nonexistent',
    isTerminal: false,
    ask: null,
    signal: new AbortController().signal,
  });
  return verdictOf(code, output.stdout, output.stderr);
}

function verdictOf(code: number | null, stdout: string, stderr: string): Verdict {
  const last = stdout.trim().split('\n').at(-1) ?? '';
  if (!last.startsWith('{')) throw new Error(`verify ended with ${code}: ${stderr}`);
  return { ...(JSON.parse(last) as Omit<Verdict, 'code' | 'stdout'>), code, stdout };
}

function flagsOf({ kubeconfig, database, flags = [] }: MirrorOptions): readonly string[] {
  return ['--kubeconfig', kubeconfig, '--storage', `sqlite:${database}`, ...flags];
}
