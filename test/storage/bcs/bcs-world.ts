import { writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { type App, createApp } from '../../../src/app.ts';
import type { WriteEntry } from '../../../src/bcsstorage/journal.ts';
import { type BcsStorage as Service, startBcsStorage } from '../../../src/bcsstorage/server.ts';
import { hurriedClock } from '../../../src/bench/child/hurried-clock.ts';
import { loadCredentials } from '../../../src/cluster/credentials.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { seedCluster } from '../../../src/hollow/load.ts';
import { podPlace, podStatus } from '../../../src/hollow/load-pods.ts';
import { type Hollow, startHollow } from '../../../src/hollow/server.ts';
import { createLogger } from '../../../src/kit/log.ts';
import { seededRandom, systemRandom } from '../../../src/kit/random.ts';
import type { KindStatus } from '../../../src/model/status.ts';
import { openReader } from '../../../src/storage/open.ts';
import { type TempDir, tempDir } from '../../support/temp-dir.ts';
import { until } from '../../support/until.ts';

/** Fast enough that backoffs of seconds cost milliseconds. */
export const HURRY = 20;

export interface Shape {
  readonly pods: number;
  readonly nodes: number;
  readonly namespaces: number;
  readonly bytes: number;
}

export const SMALL: Shape = { pods: 120, nodes: 3, namespaces: 3, bytes: 1_500 };

/** One kubefold in this process. */
export interface Running {
  readonly app: App;
  readonly log: () => string;
  kind(id: string): KindStatus | undefined;
  ready(): Promise<void>;
  stop(): Promise<void>;
}

/** A hollow cluster, the storage service as the old one is (it takes whatever comes last), and whatever of the whole program runs between them. */
export class BcsWorld implements AsyncDisposable {
  readonly hollow: Hollow;
  readonly service: Service;
  readonly dir: TempDir;
  /** Every write that the service accepted, in the order of its commits. */
  readonly journal: WriteEntry[];
  readonly shape: Shape;
  readonly #running = new Set<Running>();

  private constructor(parts: Pick<BcsWorld, 'hollow' | 'service' | 'dir' | 'journal' | 'shape'>) {
    this.hollow = parts.hollow;
    this.service = parts.service;
    this.dir = parts.dir;
    this.journal = parts.journal;
    this.shape = parts.shape;
  }

  static async start(shape: Shape = SMALL): Promise<BcsWorld> {
    const hollow = await startHollow();
    seedCluster(hollow, { ...shape, apps: false });
    const journal: WriteEntry[] = [];
    const service = await startBcsStorage({ checksRevisions: false, random: seededRandom(3), onWrite: (entry) => void journal.push(entry) });
    return new BcsWorld({ hollow, service, dir: tempDir('bcs-world'), journal, shape });
  }

  /** The whole program in this process, on a hurried clock, mirroring pods, nodes and namespaces. */
  async mirror(config: object = {}): Promise<Running> {
    const clock = hurriedClock(HURRY);
    const lines: string[] = [];
    const path = this.dir.file('kubeconfig');
    writeFileSync(path, this.hollow.kubeconfig());
    const credentials = await loadCredentials({ kubeconfig: path, env: {}, home: this.dir.path, clock });
    // The clock hurries the time limit of a request, too.
    const storage = { url: `bcs+${this.service.url}`, timeoutSeconds: 60 };
    const text = JSON.stringify({
      cluster: { name: 'prod' },
      storage,
      kinds: ['pods', 'nodes', 'namespaces'],
      listen: 'off',
      fence: { maxDeleteShare: 1 },
      audit: { everySeconds: 10 },
      ...config,
    });
    const log = await createLogger({ level: 'info', format: 'json', write: (line) => lines.push(line) });
    const app = await createApp({ config: loadConfig({ text, file: 'test' }), file: null, credentials, clock, random: systemRandom, log });
    const ending = new AbortController();
    const ended = app.run(ending.signal);
    const one: Running = {
      app,
      log: () => lines.join(''),
      kind: (id) => app.status().kinds.find((kind) => kind.id === id),
      ready: () => until('the first sync is complete', () => app.isReady()).then(() => {}),
      stop: async () => {
        this.#running.delete(one);
        ending.abort();
        await ended;
      },
    };
    this.#running.add(one);
    return one;
  }

  /** Writes of objects, without the records of the mirror. */
  objects(): WriteEntry[] {
    return this.journal.filter(({ key }) => !key.includes('/KubefoldRecord/'));
  }

  /** Revisions by key, as the cluster has them. */
  truth(kind = 'pods'): Map<string, string> {
    return new Map(this.hollow.keys(kind).map((key) => [key, String(this.hollow.world.kind(kind)?.store.get(key)?.revision)]));
  }

  /** Revisions by key, as the service has them. */
  async stored(kind = 'pods'): Promise<Map<string, string>> {
    const reader = openReader(`bcs+${this.service.url}`);
    try {
      const rows = await reader.list({ cluster: 'prod', kind, limit: 20_000 });
      return new Map(rows.map(({ key, revision }) => [key, revision]));
    } finally {
      await reader.close();
    }
  }

  /** Until the copy of a kind is exact. */
  async exact(kind = 'pods'): Promise<void> {
    await until(`the copy of ${kind} is exact`, async () => {
      expect(await this.stored(kind)).toEqual(this.truth(kind));
      return true;
    });
  }

  /** Changes the status of the first so many pods. */
  change(count: number, restarts: number): void {
    for (let number = 0; number < count; number++) {
      const { namespace, name } = podPlace(number, this.shape);
      this.hollow.setStatus(
        'pods',
        `${namespace}/${name}`,
        podStatus(number, { phase: 'Running', ready: false, restarts, wallMs: 1_800_000_000_000 }, this.shape),
      );
    }
  }

  /** A route of the service. */
  rest(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.service.url}/bcsstorage/v1${path}`, init);
  }

  /** The document of an object, as somebody else of the platform reads it; null when there is none. */
  async document(
    key: string,
    type = 'Pod',
  ): Promise<{ readonly data: { readonly metadata: Record<string, unknown>; readonly [key: string]: unknown } } | null> {
    const answer = (await (await this.rest(documentPath(key, type))).json()) as { readonly result: boolean; readonly data: never };
    return answer.result ? answer.data : null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of [...this.#running]) await one.stop();
    await this.hollow.close();
    await this.service.close();
    this.dir.remove();
  }
}

/** `namespace/name`, or the name of a cluster-scoped object. */
export function documentPath(key: string, type: string): string {
  const [namespace, name] = key.includes('/') ? key.split('/') : ['', key];
  const base = namespace === '' ? '/k8s/dynamic/cluster_resources/clusters/prod' : `/k8s/dynamic/namespace_resources/clusters/prod/namespaces/${namespace}`;
  return `${base}/${type}/${name}`;
}
