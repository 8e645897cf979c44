import { Auditor } from '../../src/audit/auditor.ts';
import { silentLogger } from '../../src/kit/log.ts';
import type { ObjectKey } from '../../src/model/key.ts';
import type { AuditRound } from '../../src/model/status.ts';
import { compareBytes } from '../../src/storage/key-order.ts';
import type { StorageReader, StoredObject } from '../../src/storage/storage.ts';
import { KindMetrics } from '../../src/mirror/metrics.ts';
import type { MirrorWorld } from './world.ts';

/** Reads the rows of the model, late if a test wants it: a read shows the rows as they are when it is answered. */
export class ModelReader implements StorageReader {
  delayMs: () => number = () => 0;
  readonly #world: MirrorWorld;

  constructor(world: MirrorWorld) {
    this.#world = world;
  }

  async clusters(): Promise<readonly string[]> {
    return ['test'];
  }

  async kinds(): Promise<readonly string[]> {
    return ['configmaps'];
  }

  async scopes(): Promise<readonly []> {
    return [];
  }

  async parked(): Promise<readonly []> {
    return [];
  }

  async get(_cluster: string, _kind: string, key: ObjectKey): Promise<StoredObject | null> {
    await this.#late();
    return this.#row(key);
  }

  async list({ after, limit }: Parameters<StorageReader['list']>[0]): Promise<readonly StoredObject[]> {
    await this.#late();
    const keys = [...this.#world.storage.rows.keys()].map((id) => id.slice('configmaps/'.length) as ObjectKey).sort(compareBytes);
    const found = keys.filter((key) => after === undefined || compareBytes(key, after) > 0).slice(0, limit);
    return found.map((key) => this.#row(key)).filter((row) => row !== null);
  }

  async close(): Promise<void> {}

  async #late(): Promise<void> {
    const ms = this.delayMs();
    if (ms > 0) await this.#world.clock.sleep(ms);
  }

  #row(key: ObjectKey): StoredObject | null {
    const row = this.#world.storage.rows.get(`configmaps/${key}`);
    if (row === undefined) return null;
    return { key, uid: row.uid, revision: row.revision, apiVersion: 'v1', kind: 'ConfigMap', body: Buffer.from(row.body), writtenAt: 0 };
  }
}

/** An audit of the one kind of a world, on the world's clock. */
export class AuditWorld {
  readonly world: MirrorWorld;
  readonly reader: ModelReader;
  readonly counts = new KindMetrics();
  readonly auditor: Auditor;
  relists = 0;
  readonly #ending = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(world: MirrorWorld, everySeconds = 3) {
    this.world = world;
    this.reader = new ModelReader(world);
    const relist = (): void => {
      this.relists++;
      world.mirror.relist(null);
    };
    this.auditor = new Auditor({
      clusterName: 'test',
      cluster: world.api,
      reader: this.reader,
      clock: world.clock,
      log: silentLogger,
      isHurried: () => false,
      everySeconds,
      kinds: () => [world.mirror.audited(relist)],
      secretKey: () => new Uint8Array(),
      countsOf: () => this.counts,
    });
  }

  get last(): AuditRound | null {
    return this.auditor.status().last;
  }

  /** Drift so far, by cause; only those that were found. */
  get drift(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.counts.drift).flatMap(([cause, { value }]) => (value === 0 ? [] : [[cause, value]])));
  }

  begin(): void {
    this.#running = this.auditor.run(this.#ending.signal);
  }

  async end(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }
}
