import * as v from 'valibot';
import type { Difference } from '../audit/verify.ts';
import type { KindId } from '../model/kind.ts';
import type { StorageReader } from '../storage/storage.ts';
import type { MirrorClient } from './mirror-client.ts';

const heldAnswer = v.object({ cluster: v.string(), held: v.array(v.object({ kind: v.string(), why: v.string(), keys: v.array(v.string()) })) });

/** What the mirror itself knows to differ: storage refused the object, or the deletion of its row is held until somebody confirms it. */
export class KnownDifferences {
  readonly #reader: StorageReader;
  readonly #clusterName: string;
  /** Throws when the configuration names no running mirror. */
  readonly #client: () => MirrorClient;
  #parked: Promise<ReadonlyMap<string, string>> | null = null;
  #held: Promise<ReadonlyMap<string, string>> | null = null;

  constructor(reader: StorageReader, clusterName: string, client: () => MirrorClient) {
    this.#reader = reader;
    this.#clusterName = clusterName;
    this.#client = client;
  }

  /** Null when nobody knows of it. */
  async reasonOf({ kind, key, drift }: Difference): Promise<string | null> {
    if (drift !== 'surplus') {
      this.#parked ??= this.#readParked();
      return (await this.#parked).get(idOf(kind, key)) ?? null;
    }
    this.#held ??= this.#askHeld();
    return (await this.#held).get(idOf(kind, key)) ?? null;
  }

  async #readParked(): Promise<ReadonlyMap<string, string>> {
    const parked = await this.#reader.parked(this.#clusterName);
    return new Map(parked.map(({ kind, key, error }) => [idOf(kind, key), `storage refused it, and it is parked: ${error}`]));
  }

  /** Only a running mirror holds deletions. That there is none, or one of another cluster, is no failure: then nothing is held. */
  async #askHeld(): Promise<ReadonlyMap<string, string>> {
    try {
      const { cluster, held } = v.parse(heldAnswer, await this.#client().get('/control/held?keys=all'));
      if (cluster !== this.#clusterName) return new Map();
      return new Map(held.flatMap(({ kind, keys, why }) => keys.map((key): [string, string] => [idOf(kind, key), `its deletion is held: ${why}`])));
    } catch {
      return new Map();
    }
  }
}

function idOf(kind: KindId, key: string): string {
  return `${kind} ${key}`;
}
