import { renameSync, writeFileSync } from 'node:fs';
import { type App, createApp } from '../../src/app.ts';
import { hurriedClock } from '../../src/bench/child/hurried-clock.ts';
import { loadCredentials } from '../../src/cluster/credentials.ts';
import { type ConfigFlags, loadConfig } from '../../src/config/load.ts';
import type { Hollow } from '../../src/hollow/server.ts';
import type { Clock } from '../../src/kit/clock.ts';
import { createLogger } from '../../src/kit/log.ts';
import { systemRandom } from '../../src/kit/random.ts';
import type { KindStatus } from '../../src/model/status.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { Copy } from './copy.ts';

/** Fast enough that a backoff of seconds costs milliseconds, slow enough that no time limit strikes on a busy machine. */
const HURRY = 20;

export interface TestMirrorOptions {
  /** The configuration beside storage and listen. */
  readonly config?: object;
  readonly flags?: ConfigFlags;
  /** Writes the configuration to a file and follows it. */
  readonly follow?: boolean;
  readonly clock?: Clock;
  /** The folder of an earlier mirror, whose copy is gone on with. */
  readonly dir?: TempDir;
}

/** The whole program in this process, mirroring a hollow cluster into a file of its own. */
export class TestMirror implements AsyncDisposable {
  readonly app: App;
  readonly dir: TempDir;
  readonly copy: Copy;
  readonly #lines: string[];
  readonly #ending: AbortController;
  readonly #running: Promise<void>;

  private constructor(parts: { app: App; dir: TempDir; lines: string[] }) {
    this.app = parts.app;
    this.dir = parts.dir;
    this.#lines = parts.lines;
    this.#ending = new AbortController();
    this.copy = new Copy(this.file);
    this.#running = this.app.run(this.#ending.signal);
    // Seen by whoever stops it; without this a failure on the way would end the test process first.
    this.#running.catch(() => {});
  }

  static async start(hollow: Hollow, options: TestMirrorOptions = {}): Promise<TestMirror> {
    const { flags = {}, clock = hurriedClock(HURRY), dir = tempDir('mirror') } = options;
    const lines: string[] = [];
    writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
    const text = configText(dir, options.config ?? {});
    const path = dir.file('kubefold.yaml');
    writeFileSync(path, text);
    const log = await createLogger({ level: 'debug', format: 'json', write: (line) => lines.push(line) });
    const credentials = await loadCredentials({ kubeconfig: dir.file('kubeconfig'), env: {}, home: dir.path, clock });
    const config = loadConfig({ text, file: path, flags });
    log.setLevel(config.log.level);
    const app = await createApp({ config, file: options.follow === true ? { path, text, flags } : null, credentials, clock, random: systemRandom, log });
    return new TestMirror({ app, dir, lines });
  }

  /** The SQLite file. */
  get file(): string {
    return this.dir.file('copy.db');
  }

  /** Everything logged so far. */
  get log(): string {
    return this.#lines.join('');
  }

  /** Replaces the configuration file in one step. */
  configure(config: object | string): void {
    writeFileSync(this.dir.file('next'), typeof config === 'string' ? config : configText(this.dir, config));
    renameSync(this.dir.file('next'), this.dir.file('kubefold.yaml'));
  }

  async ready(): Promise<void> {
    const look = (): boolean => {
      if (this.app.isReady()) return true;
      const open = this.app.status().kinds.filter((kind) => !kind.complete);
      throw new Error(
        `not complete: ${open.map((kind) => `${kind.id} ${kind.state} ${kind.error ?? ''}`).join(', ')}; error ${this.app.status().error ?? 'none'}`,
      );
    };
    await until('the first sync is complete', look, { withinMs: 15_000, everyMs: 20 });
  }

  kind(id: string): KindStatus | undefined {
    return this.app.status().kinds.find((kind) => kind.id === id);
  }

  async get(path: string): Promise<{ readonly code: number; readonly text: string }> {
    const response = await fetch(`${this.app.url}${path}`);
    return { code: response.status, text: await response.text() };
  }

  /** The value of one sample of /metrics; 0 when it is not there. */
  async metric(sample: string): Promise<number> {
    const { text } = await this.get('/metrics');
    const line = text.split('\n').find((one) => one.startsWith(`${sample} `));
    return line === undefined ? 0 : Number(line.slice(sample.length + 1));
  }

  /** An orderly end; the folder stays. */
  async stop(): Promise<void> {
    this.#ending.abort();
    this.copy[Symbol.dispose]();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ending.signal.aborted) await this.stop();
    this.dir.remove();
  }
}

function configText(dir: TempDir, config: object): string {
  return `${JSON.stringify({ storage: { url: `sqlite:${dir.file('copy.db')}` }, listen: '127.0.0.1:0', log: { level: 'debug' }, ...config }, null, 2)}\n`;
}
