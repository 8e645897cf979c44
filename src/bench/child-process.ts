import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { systemClock } from '../kit/clock.ts';

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Flags of node itself, for example `--expose-gc`. */
  readonly nodeFlags?: readonly string[];
  /** It is killed when it lives longer. Default 10 minutes. */
  readonly withinMs?: number;
}

type Line = Readonly<Record<string, unknown>>;

/** A process of a benchmark: says what it has to say in JSON lines, is told what to do in lines, never outlives us. */
export class Child {
  readonly #process: ChildProcess;
  readonly #name: string;
  readonly #lines: Line[] = [];
  readonly #exited: Promise<number | null>;
  #wake: (() => void)[] = [];
  #hasEnded = false;
  #errors = '';

  private constructor(name: string, command: string, args: readonly string[], options: ChildOptions) {
    this.#name = name;
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...options.env } });
    this.#process = child;
    const killed = (): void => void child.kill('SIGKILL');
    process.once('exit', killed);
    const cancel = systemClock.after(options.withinMs ?? 600_000, killed);
    createInterface(child.stdout).on('line', (text) => {
      const line = parse(text);
      if (line !== null) this.#lines.push(line);
      this.#notify();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-8_000);
    });
    // A child that ended does not read what it is told; its exit code says why.
    child.stdin.on('error', () => {});
    this.#exited = new Promise((resolve) => {
      child.once('error', (cause) => {
        this.#errors += cause.message;
        resolve(null);
      });
      child.once('close', resolve);
    });
    void this.#exited.then(() => {
      cancel();
      process.off('exit', killed);
      this.#hasEnded = true;
      this.#notify();
    });
  }

  /** A JavaScript file, in the node that runs us. */
  static node(file: string, args: readonly string[], options: ChildOptions = {}): Child {
    return new Child(file, process.execPath, [...(options.nodeFlags ?? []), file, ...args], options);
  }

  static program(file: string, args: readonly string[], options: ChildOptions = {}): Child {
    return new Child(file, file, args, options);
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  /** Every JSON line so far. */
  get lines(): readonly Line[] {
    return this.#lines;
  }

  /** The next line, from `from` on, that has the field; throws when the process ends without. */
  async line(field: string, from = 0): Promise<Line> {
    for (;;) {
      const found = this.#lines.slice(from).find((line) => field in line);
      if (found !== undefined) return found;
      if (this.#hasEnded) throw new Error(`${this.#name} ended without saying "${field}": ${this.#errors}`);
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  /** Says a word to it and waits for the line with that field. */
  async ask(word: string): Promise<Line> {
    const from = this.#lines.length;
    this.#process.stdin?.write(`${word}\n`);
    return await this.line(word, from);
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Resolves with its last JSON line when it ended with code 0. */
  async ended(): Promise<Line> {
    const code = await this.#exited;
    if (code !== 0) throw new Error(`${this.#name} ended with ${code}: ${this.#errors}`);
    return this.#lines.at(-1) ?? {};
  }

  /** Ends it, however far it is. */
  async stop(): Promise<void> {
    this.#process.stdin?.end();
    this.#process.kill('SIGTERM');
    const cancel = systemClock.after(10_000, () => this.#process.kill('SIGKILL'));
    await this.#exited;
    cancel();
  }

  #notify(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}

function parse(text: string): Line | null {
  if (!text.startsWith('{')) return null;
  try {
    return JSON.parse(text) as Line;
  } catch {
    return null;
  }
}

/** A field that must be a number. */
export function numberOf(line: Line, field: string): number {
  const value = line[field];
  if (typeof value !== 'number') throw new Error(`Expected a number "${field}" in ${JSON.stringify(line)}`);
  return value;
}

export function textOf(line: Line, field: string): string {
  const value = line[field];
  if (typeof value !== 'string') throw new Error(`Expected a text "${field}" in ${JSON.stringify(line)}`);
  return value;
}
