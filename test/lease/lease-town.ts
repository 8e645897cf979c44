import type { LeaseDirectory, LeasePlace, LeaseStore } from '../../src/cluster/cluster.ts';
import { ApiError } from '../../src/model/errors.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { LeaseServer } from './lease-server.ts';

const refuse = (status: number): never => {
  throw new ApiError(`refused with ${status}`, { status });
};
type Stored = { readonly metadata: { readonly name: string; readonly resourceVersion: string; readonly labels?: Readonly<Record<string, string>> } };

/** Leases behind an API server, on one manual clock. */
export class LeaseTown implements LeaseStore, LeaseDirectory {
  readonly clock = new ManualClock();
  readonly servers = new Map<string, LeaseServer>();
  readonly #watchers = new Set<(event: unknown) => void>();
  isDown = false;
  mayWatch = true;
  #revision = 0;

  names(): readonly string[] {
    return [...this.servers].flatMap(([name, { lease }]) => (lease === null ? [] : [name])).sort();
  }

  async getLease({ name }: LeasePlace): Promise<unknown> {
    return structuredClone(this.#server(name).lease);
  }

  async createLease({ name }: LeasePlace, lease: object): Promise<unknown> {
    return this.#stored('ADDED', this.#server(name).create(lease)?.object ?? refuse(409));
  }

  async updateLease({ name }: LeasePlace, lease: object): Promise<unknown> {
    return this.#stored('MODIFIED', this.#server(name).update(lease)?.object ?? refuse(409));
  }

  async listLeases(_: string, selector: string): Promise<unknown> {
    if (this.isDown) refuse(503);
    const [key = '', value] = selector.split('=');
    const all = [...this.servers.values()].flatMap(({ lease }) => (lease === null ? [] : [lease as unknown as Stored]));
    return structuredClone({ metadata: { resourceVersion: String(this.#revision) }, items: all.filter(({ metadata }) => metadata.labels?.[key] === value) });
  }

  async watchLeases(_: string, __: string, onEvent: (event: unknown) => void, signal: AbortSignal): Promise<void> {
    if (!this.mayWatch) refuse(403);
    this.#watchers.add(onEvent);
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    this.#watchers.delete(onEvent);
  }

  async watchLease({ name }: LeasePlace, onChange: () => void, signal: AbortSignal): Promise<void> {
    await this.watchLeases('', '', (event) => ((event as { readonly object: Stored }).object.metadata.name === name ? onChange() : undefined), signal);
  }

  async deleteLease({ name }: LeasePlace, seen: { readonly resourceVersion: string }): Promise<void> {
    const { lease } = this.#server(name);
    if (lease === null) return refuse(404);
    const { metadata } = lease as unknown as Stored;
    if (metadata.resourceVersion !== seen.resourceVersion) refuse(409);
    this.servers.delete(name);
    const resourceVersion = String(++this.#revision);
    for (const tell of [...this.#watchers]) tell({ type: 'DELETED', object: { ...lease, metadata: { ...metadata, resourceVersion } } });
  }

  #server(name: string): LeaseServer {
    if (this.isDown) refuse(503);
    const found = this.servers.get(name) ?? new LeaseServer(() => ++this.#revision);
    this.servers.set(name, found);
    return found;
  }

  #stored(type: string, object: Readonly<Record<string, unknown>>): unknown {
    for (const tell of [...this.#watchers]) tell({ type, object: structuredClone(object) });
    return structuredClone(object);
  }
}
