import { namespaceOf, nameOf } from '../model/key.ts';
import type { ObjectKey } from '../model/key.ts';
import type { Clock } from '../kit/clock.ts';
import type { Random } from '../kit/random.ts';
import { builtinViews, CRD_ID, customViews, storedId, viewId } from './kinds.ts';
import type { CrdSpec, View } from './kinds.ts';
import type { Change, HistoryBounds } from './history.ts';
import { decode, encode } from './objects.ts';
import type { ObjectTree, Version } from './objects.ts';
import { KindStore } from './store.ts';

/** One kind at work: its objects and the ways they are served. */
export interface Served {
  readonly id: string;
  readonly store: KindStore;
  /** By group and version; the first is the one that the in-process API speaks. Replaced when a CRD changes its versions. */
  views: readonly View[];
  /** Told when the kind goes away or a view of it does: watches look whether they may go on. */
  readonly onViews: Set<() => void>;
}

export const SYSTEM_NAMESPACES = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];

export interface WorldOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly history: HistoryBounds;
  /** The revision before the first write. */
  readonly revision: number;
}

/** The state of the hollow cluster: one revision counter, every kind's store, and which kinds exist. No IO. */
export class World {
  readonly clock: Clock;
  readonly random: Random;
  readonly #history: HistoryBounds;
  readonly #served = new Map<string, Served>();
  readonly #views = new Map<string, { readonly served: Served; readonly view: View }>();
  readonly #waiting = new Set<() => void>();
  #revision: number;

  constructor({ clock, random, history, revision }: WorldOptions) {
    this.clock = clock;
    this.random = random;
    this.#history = history;
    this.#revision = revision;
    for (const view of builtinViews()) this.#serve(view);
    this.#seedNamespaces();
  }

  /** The newest revision of anything. */
  get revision(): number {
    return this.#revision;
  }

  kinds(): Iterable<Served> {
    return this.#served.values();
  }

  /** By `pods` or `deployments.apps`. */
  kind(id: string): Served | undefined {
    return this.#served.get(id);
  }

  view(group: string, version: string, resource: string): { readonly served: Served; readonly view: View } | undefined {
    return this.#views.get(viewId(group, version, resource));
  }

  nextRevision(): number {
    this.#revision += 1;
    for (const look of this.#waiting) look();
    return this.#revision;
  }

  /** Resolves true when `revision` is reached, false after `withinMs`. */
  reached(revision: number, withinMs: number, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (isReached: boolean): void => {
        this.#waiting.delete(look);
        signal.removeEventListener('abort', abort);
        cancel();
        resolve(isReached);
      };
      const look = (): void => {
        if (this.#revision >= revision) settle(true);
      };
      const abort = (): void => settle(false);
      const cancel = this.clock.after(withinMs, abort);
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting.add(look);
      look();
    });
  }

  uid(): string {
    const hex = (digits: number): string =>
      Math.floor(this.random.next() * 16 ** digits)
        .toString(16)
        .padStart(digits, '0');
    return `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`;
  }

  /** Seconds, as the API server writes times. */
  time(): string {
    return new Date(this.clock.wall()).toISOString().replace(/\.\d+Z$/, 'Z');
  }

  /** Makes `version` the newest state and lets kinds and namespaces follow. */
  put(served: Served, version: Version): Change {
    const change = served.store.put(version);
    if (served.id === CRD_ID) this.#followCrd(version);
    return change;
  }

  /** Removes an object. A CRD takes its instances with it, a namespace everything inside. */
  remove(served: Served, key: string): Change | null {
    if (served.store.get(key) === undefined) return null;
    if (served.id === CRD_ID) this.#dropCrd(key);
    if (served.id === 'namespaces') this.#emptyNamespace(served, key);
    return served.store.remove(key, this.nextRevision());
  }

  /** Forgets the history of one kind or of all: older revisions are answered with 410 from now on. */
  compact(id?: string): void {
    for (const served of this.#served.values()) if (id === undefined || served.id === id) served.store.history.clear(this.#revision);
  }

  /**
   * What a restart of the API server leaves: an empty history. With `wipe` the etcd behind it is a new one: no objects, new uids,
   * counting from `revision`. With `revision` alone it is an older backup: newer objects are gone.
   */
  restart({ wipe, revision }: { readonly wipe: boolean; readonly revision?: number | undefined }): void {
    const keepTo = wipe ? 0 : (revision ?? this.#revision);
    for (const served of [...this.#served.values()]) {
      for (const key of [...served.store.keys()]) {
        const version = served.store.get(key);
        if (version === undefined || version.revision <= keepTo) continue;
        if (served.id === CRD_ID) this.#withdraw(crdId(decode(version)));
        served.store.forget(key);
      }
    }
    this.#revision = revision ?? (wipe ? 1 : this.#revision);
    if (wipe) this.#seedNamespaces();
    this.compact();
  }

  #seedNamespaces(): void {
    const served = this.#served.get('namespaces');
    const view = served?.views[0];
    if (served === undefined || view === undefined) return;
    for (const name of SYSTEM_NAMESPACES) {
      const tree: ObjectTree = {
        metadata: { name, uid: this.uid(), creationTimestamp: this.time(), labels: { 'kubernetes.io/metadata.name': name } },
        spec: { finalizers: ['kubernetes'] },
        status: { phase: 'Active' },
      };
      served.store.put(encode(tree, this.nextRevision(), view.stored));
    }
  }

  #serve(view: View): void {
    const id = storedId(view);
    let served = this.#served.get(id);
    if (served === undefined) {
      served = { id, store: new KindStore(this.#history, this.#revision), views: [], onViews: new Set() };
      this.#served.set(id, served);
    }
    served.views = [...served.views, view];
    this.#views.set(viewId(view.group, view.version, view.stored.resource), { served, view });
  }

  #followCrd(version: Version): void {
    const tree = decode(version);
    const id = crdId(tree);
    const old = this.#served.get(id);
    const before = old?.views ?? [];
    for (const view of before) this.#views.delete(viewId(view.group, view.version, view.stored.resource));
    if (old !== undefined) old.views = [];
    for (const view of customViews(tree.spec as CrdSpec)) this.#serve(view);
    const served = this.#served.get(id);
    const [storedBefore, storedNow] = [before[0]?.stored.version, served?.views[0]?.stored.version];
    // The bytes carry the storage version: when that moves, every object is written anew, as a storage migration would.
    if (served !== undefined && storedBefore !== undefined && storedNow !== undefined && storedBefore !== storedNow) this.#migrate(served);
    for (const look of [...(served?.onViews ?? [])]) look();
  }

  #migrate(served: Served): void {
    const stored = served.views[0]?.stored;
    if (stored === undefined) return;
    for (const key of [...served.store.keys()]) {
      const version = served.store.get(key);
      if (version === undefined) continue;
      const tree = { ...decode(version), apiVersion: `${stored.group}/${stored.version}` };
      served.store.put(encode(tree, this.nextRevision(), stored));
    }
  }

  #dropCrd(key: string): void {
    const version = this.#served.get(CRD_ID)?.store.get(key);
    if (version === undefined) return;
    const id = crdId(decode(version));
    const served = this.#served.get(id);
    if (served === undefined) return;
    for (const instance of [...served.store.keys()]) served.store.remove(instance, this.nextRevision());
    this.#withdraw(id);
  }

  /** The kind is served no more; its open watches end cleanly after what they still have to send. */
  #withdraw(id: string): void {
    const served = this.#served.get(id);
    if (served === undefined) return;
    for (const view of served.views) this.#views.delete(viewId(view.group, view.version, view.stored.resource));
    this.#served.delete(id);
    served.views = [];
    for (const look of [...served.onViews]) look();
  }

  #emptyNamespace(namespaces: Served, name: string): void {
    const version = namespaces.store.get(name);
    const stored = namespaces.views[0]?.stored;
    if (version === undefined || stored === undefined) return;
    const tree = decode(version);
    tree.metadata = { ...tree.metadata, deletionTimestamp: this.time() };
    tree.status = { phase: 'Terminating' };
    namespaces.store.put(encode(tree, this.nextRevision(), stored));
    for (const served of this.#served.values()) {
      if (served.views[0]?.stored.namespaced !== true) continue;
      for (const { key } of served.store.page({ namespace: name, after: '', at: null, filter: null, limit: null }).versions) {
        served.store.remove(key, this.nextRevision());
      }
    }
  }
}

function crdId(tree: ObjectTree): string {
  const spec = tree.spec as CrdSpec;
  return `${spec.names.plural}.${spec.group}`;
}

/** `metadata.namespace` of a key, `''` when cluster-scoped. */
export const keyNamespace = (key: string): string => namespaceOf(key as ObjectKey);
export const keyName = (key: string): string => nameOf(key as ObjectKey);
