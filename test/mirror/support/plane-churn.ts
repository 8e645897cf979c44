import { systemClock } from '../../../src/kit/clock.ts';
import type { Random } from '../../../src/kit/random.ts';
import type { ControlPlane } from '../../cluster/control-plane.ts';
import type { ApiAnswer } from '../../cluster/raw-api.ts';
import { configMap } from './ground.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const BOATS = '/apis/demo.example.com/v1/namespaces/default/boats';
const EVENTS = '/api/v1/namespaces/default/events';
const NAMES = 60;

/**
 * ConfigMaps, events and Boats (ground.ts) of a real cluster come, change, go and are replaced under their names, in a random order. What the API
 * server refuses (a name that is taken, one that is gone, a server that is down) does not matter.
 */
export class PlaneChurn {
  /** Requests that the API server carried out. */
  changes = 0;
  readonly #plane: ControlPlane;
  readonly #random: Random;
  #running: Promise<void> | null = null;
  #isOver = false;
  #made = 0;

  constructor(plane: ControlPlane, random: Random) {
    this.#plane = plane;
    this.#random = random;
  }

  start(): void {
    this.#isOver = false;
    this.#running = (async () => {
      while (!this.#isOver) {
        await this.disturb(4);
        await systemClock.sleep(10);
      }
    })();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
    this.#running = null;
  }

  /** So many requests, side by side. */
  async disturb(requests: number): Promise<void> {
    const answers = await Promise.allSettled(Array.from({ length: requests }, () => this.#change()));
    this.changes += answers.filter((answer) => answer.status === 'fulfilled' && answer.value.status < 300).length;
  }

  #change(): Promise<ApiAnswer> {
    this.#made += 1;
    const name = `churn-${Math.floor(this.#random.next() * NAMES)}`;
    const [chance, kind] = [this.#random.next(), this.#random.next()];
    if (kind < 0.15) return this.#event(`churn-${this.#made}`);
    const collection = kind < 0.4 ? BOATS : MAPS;
    const body =
      collection === MAPS
        ? configMap(name, { made: String(this.#made) })
        : { apiVersion: 'demo.example.com/v1', kind: 'Boat', metadata: { name, namespace: 'default' }, spec: { made: this.#made } };
    if (chance < 0.3) return this.#plane.api(collection, { method: 'POST', body });
    if (chance < 0.65) return this.#plane.api(`${collection}/${name}`, { method: 'PATCH', body: { metadata: { labels: { made: String(this.#made) } } } });
    if (chance < 0.8) return this.#plane.api(`${collection}/${name}`, { method: 'DELETE' });
    return this.#replace(collection, name, body);
  }

  async #replace(collection: string, name: string, body: object): Promise<ApiAnswer> {
    await this.#plane.api(`${collection}/${name}`, { method: 'DELETE' });
    return await this.#plane.api(collection, { method: 'POST', body });
  }

  #event(name: string): Promise<ApiAnswer> {
    const involvedObject = { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'none' };
    const body = { apiVersion: 'v1', kind: 'Event', metadata: { name, namespace: 'default' }, involvedObject, reason: 'Test', message: name, type: 'Normal' };
    return this.#plane.api(EVENTS, { method: 'POST', body });
  }
}

/** Makes many config maps quickly: kubectl would take a second for 50. */
export async function makeConfigMaps(plane: ControlPlane, count: number, name: (n: number) => string, namespace = 'default'): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let n = next; n < count; n = next) {
      next += 1;
      await plane.apiOk(path, { method: 'POST', body: configMap(name(n), { n: String(n) }, namespace) });
    }
  };
  await Promise.all(Array.from({ length: 20 }, worker));
}
