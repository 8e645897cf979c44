import { writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { seedCluster } from '../../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../../src/hollow/server.ts';
import { systemClock } from '../../../src/kit/clock.ts';
import { type Random, seededRandom } from '../../../src/kit/random.ts';
import { messageOf } from '../../../src/model/errors.ts';
import { type TempDir, tempDir } from '../../support/temp-dir.ts';
import { Copy } from '../copy.ts';
import { HollowChurn } from './hollow-churn.ts';
import { type MirrorOptions, verifyHere } from './mirror-process.ts';

const CHURNED = ['pods', 'pods', 'configmaps', 'services'];
const CHANGES_PER_TICK = 3;

/** A simulated cluster in churn, and what several real processes need to copy it into one file of SQLite. */
export class ChurnedCluster {
  /** Kinds that change, each once. */
  static readonly kinds: readonly string[] = [...new Set(CHURNED)];
  static readonly seed = Number(process.env['KUBEFOLD_SEED'] ?? systemClock.wall() % 2 ** 32);
  readonly hollow: Hollow;
  /** For each of the processes. */
  readonly options: MirrorOptions;
  readonly #dir: TempDir;
  readonly #random: Random;
  readonly #churn: HollowChurn;

  private constructor(parts: { readonly hollow: Hollow; readonly dir: TempDir; readonly random: Random }) {
    const { hollow, dir, random } = parts;
    this.hollow = hollow;
    this.options = { kubeconfig: dir.file('kubeconfig'), database: dir.file('copy.db'), flags: ['--config', dir.file('kubefold.yaml')] };
    this.#dir = dir;
    this.#random = random;
    this.#churn = new HollowChurn(hollow, { random, kinds: CHURNED });
  }

  static async start(name: string, { pods, config }: { readonly pods: number; readonly config: string }): Promise<ChurnedCluster> {
    const dir = tempDir(name);
    const hollow = await startHollow({ random: seededRandom(ChurnedCluster.seed), history: 100_000 });
    seedCluster(hollow, { pods, nodes: 4, namespaces: 3, bytes: 1_000 });
    writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
    writeFileSync(dir.file('kubefold.yaml'), config);
    return new ChurnedCluster({ hollow, dir, random: seededRandom(ChurnedCluster.seed) });
  }

  churn(): void {
    this.#churn.start(CHANGES_PER_TICK);
  }

  rest(): void {
    this.#churn.stop();
  }

  /** At random, by the seed. */
  pause(maxMs: number): Promise<void> {
    return systemClock.sleep(Math.floor(this.#random.next() * maxMs));
  }

  /** Nothing changes any more, and the copy is what the cluster is, by our own comparison and by verify. `atRest` looks before verify makes lists of its own. */
  async becomesExact({ log, atRest = () => {} }: { readonly log: () => string; readonly atRest?: (() => void) | undefined }): Promise<void> {
    this.rest();
    using copy = new Copy(this.options.database);
    try {
      await copy.equals(this.hollow);
    } catch (cause) {
      throw new Error(`${messageOf(cause)}. Seed ${ChurnedCluster.seed}. ${log()}`, { cause });
    }
    atRest();
    const verdict = await verifyHere(this.options);
    expect(verdict, verdict.stdout.slice(0, 4_000)).toMatchObject({ code: 0, verdict: 'equal', differences: 0, unknown: 0 });
  }

  async close(): Promise<void> {
    this.rest();
    await this.hollow.close();
    this.#dir.remove();
  }
}
