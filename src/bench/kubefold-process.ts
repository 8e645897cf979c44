import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { request } from 'undici';
import { systemClock } from '../kit/clock.ts';
import { Child, numberOf, textOf } from './child-process.ts';
import type { BenchContext } from './context.ts';

/** How the copy calls the cluster. */
export const CLUSTER_NAME = 'bench';
/** So often it is asked whether it is ready. */
const LOOK_EVERY_MS = 10;

export interface KubefoldOptions {
  readonly kubeconfig: string;
  /** The database file. */
  readonly file: string;
  readonly withinMs?: number;
  /** More of its configuration, in YAML. */
  readonly config?: string;
}

/**
 * The real program as it is published, `kubefold run`, in a process of its own; told and asked by signals and HTTP alone. Its audit is off: nobody
 * could tell its pages from those of a list.
 */
export class KubefoldProcess {
  readonly child: Child;
  readonly #url: string;
  readonly #startedAt = systemClock.now();
  readonly #withinMs: number;

  private constructor(child: Child, url: string, withinMs: number) {
    this.child = child;
    this.#url = url;
    this.#withinMs = withinMs;
  }

  static async start(context: BenchContext, { kubeconfig, file, withinMs = 600_000, config: more = '' }: KubefoldOptions): Promise<KubefoldProcess> {
    const listen = `127.0.0.1:${await freePort()}`;
    const config = join(context.folder, more === '' ? 'no-audit.yaml' : 'more.yaml');
    writeFileSync(config, `audit:\n  everySeconds: null\n${more}`);
    const args = ['run', '--kubeconfig', kubeconfig, '--storage', `sqlite:${file}`, '--cluster-name', CLUSTER_NAME, '--listen', listen];
    const child = Child.node(context.program('main'), [...args, '--config', config, '--log-level', 'warn', '--log-format', 'json'], { withinMs });
    return new KubefoldProcess(child, `http://${listen}`, withinMs);
  }

  /** Milliseconds since it was started. */
  get ageMs(): number {
    return systemClock.now() - this.#startedAt;
  }

  /** Resolves when /readyz says so, with the milliseconds from its start to the answer. */
  async ready(): Promise<number> {
    while (this.ageMs < this.#withinMs) {
      // Nobody listens yet, or it was killed: the deadline tells them apart.
      const code = await request(`${this.#url}/readyz`).then(
        async ({ statusCode, body }) => {
          await body.dump();
          return statusCode;
        },
        () => 0,
      );
      if (code === 200) return this.ageMs;
      await systemClock.sleep(LOOK_EVERY_MS);
    }
    throw new Error(`kubefold was not ready within ${this.#withinMs} ms`);
  }

  /** What it does when several elect the one that writes; null while it does not say. */
  async role(): Promise<'leader' | 'standby' | null> {
    return await request(`${this.#url}/status.json`).then(
      async ({ body }) => ((await body.json()) as { readonly leadership?: { readonly role: 'leader' | 'standby' } | null }).leadership?.role ?? null,
      () => null,
    );
  }

  /** Sums a counter of /metrics over the kinds, by the value of one label; values that are 0 are left out. */
  async counted(name: string, label: string): Promise<Readonly<Record<string, number>>> {
    const { body } = await request(`${this.#url}/metrics`);
    const sums: Record<string, number> = {};
    for (const line of (await body.text()).split('\n')) {
      if (!line.startsWith(`${name}{`)) continue;
      const value = Number(line.slice(line.lastIndexOf(' ') + 1));
      const group = new RegExp(`${label}="([^"]*)"`).exec(line)?.[1] ?? '';
      if (value !== 0) sums[group] = (sums[group] ?? 0) + value;
    }
    return sums;
  }

  /** Ends it in order, and waits for that; throws when it did not end in order. */
  async stop(): Promise<void> {
    this.child.signal('SIGTERM');
    await this.child.ended();
  }
}

/** `kubefold verify`: how many differences by content, and how many that could not be told. */
export async function verified(
  context: BenchContext,
  { kubeconfig, file, kinds }: KubefoldOptions & { readonly kinds?: string },
): Promise<{ readonly objects: number; readonly wrong: number }> {
  const args = ['verify', '--kubeconfig', kubeconfig, '--storage', `sqlite:${file}`, '--cluster-name', CLUSTER_NAME, '--json'];
  const child = Child.node(context.program('main'), [...args, ...(kinds === undefined ? [] : ['--kinds', kinds])]);
  const verdict = await child.line('verdict');
  if (textOf(verdict, 'verdict') !== 'equal') {
    for (const line of child.lines.slice(0, 5)) context.say(`verify: ${JSON.stringify(line)}`);
  }
  return { objects: numberOf(verdict, 'objects'), wrong: numberOf(verdict, 'differences') + numberOf(verdict, 'unknown') };
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
