import { CRD_ID } from './kinds.ts';
import type { CrdSpec, StoredKind, View } from './kinds.ts';
import { decode, encode, sameContent, withStatus } from './objects.ts';
import type { Allocate, MetaTree, ObjectTree, Tree, Version } from './objects.ts';
import { alreadyExists, badRequest, conflict, invalid, notFound } from './status.ts';
import type { Served, World } from './world.ts';

/** Which half of an object a write may change: the main resource leaves status alone, `/status` everything else. */
export type Part = 'main' | 'status';

/** What a write needs to know; `key` is `namespace/name` or `name`. */
export interface Target {
  readonly served: Served;
  readonly view: View;
}

/** The write side of the hollow cluster: what a real server does to an object before it is stored. Throws Refusal. */
export class Writes {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Stores a new object, at the version of its view. `namespace` is that of the path, `''` when cluster-scoped. */
  create({ served, view }: Target, tree: ObjectTree, namespace: string, allocate?: Allocate): Version {
    const { stored } = view;
    const inner = view.convert === null ? tree : view.convert.in(tree);
    const metadata: MetaTree = { ...inner.metadata };
    if (metadata.namespace !== undefined && namespace !== '' && metadata.namespace !== namespace) {
      throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
    }
    if (stored.namespaced) metadata.namespace = namespace === '' ? (metadata.namespace ?? 'default') : namespace;
    else delete metadata.namespace;
    if (metadata.name === undefined && metadata.generateName !== undefined) metadata.name = metadata.generateName + this.#suffix();
    const { name } = metadata;
    if (name === undefined || name === '')
      throw invalid(stored, '', [{ field: 'metadata.name', reason: 'FieldValueRequired', message: 'Required value: name or generateName is required' }]);
    const key = stored.namespaced ? `${metadata.namespace}/${name}` : name;
    if (served.store.get(key) !== undefined) throw alreadyExists(stored, name);
    metadata.uid ??= this.#world.uid();
    metadata.creationTimestamp ??= this.#world.time();
    if (hasGeneration(stored)) metadata.generation ??= 1;
    delete metadata.resourceVersion;
    const filled = this.#filled(stored, { ...inner, metadata });
    return this.#world.put(served, encode(filled, this.#world.nextRevision(), stored, allocate)).version;
  }

  /** Replaces one part of an object. A resourceVersion in `tree` must be the current one. */
  update(target: Target, key: string, tree: ObjectTree, part: Part): Version {
    const before = this.#current(target, key);
    const inner = target.view.convert === null ? tree : target.view.convert.in(tree);
    return this.#replace(target, before, inner, part);
  }

  /** Changes one part of an object by a function of its tree (as the view shows it). */
  patch(target: Target, key: string, change: (tree: ObjectTree) => ObjectTree, part: Part): Version {
    const { view } = target;
    const before = this.#current(target, key);
    const current = decode(before);
    const shown = view.stored.custom ? current : { kind: view.kind, apiVersion: view.apiVersion, ...current };
    const changed = change(view.convert === null ? shown : view.convert.out(shown));
    return this.#replace(target, before, view.convert === null ? changed : view.convert.in(changed), part);
  }

  /** The fast road of load generators: another status, nothing else looked at. */
  setStatus({ served, view }: Target, key: string, status: Tree): Version {
    const before = this.#current({ served, view }, key);
    const revision = this.#world.nextRevision();
    const after = withStatus(before, status, revision, view.stored) ?? encode({ ...decode(before), status }, revision, view.stored);
    return this.#world.put(served, after).version;
  }

  /** Deletes, or marks for deletion while finalizers remain. Returns the last state and whether it is gone. */
  delete({ served, view }: Target, key: string, uid?: string): { readonly version: Version; readonly isGone: boolean } {
    const before = this.#current({ served, view }, key);
    const tree = decode(before);
    if (uid !== undefined && tree.metadata?.uid !== uid) throw conflict(view.stored, tree.metadata?.name ?? key);
    if ((tree.metadata?.finalizers?.length ?? 0) > 0) {
      if (tree.metadata?.deletionTimestamp !== undefined) return { version: before, isGone: false };
      tree.metadata = { ...tree.metadata, deletionTimestamp: this.#world.time(), deletionGracePeriodSeconds: 0 };
      return { version: this.#world.put(served, encode(tree, this.#world.nextRevision(), view.stored)).version, isGone: false };
    }
    this.#world.remove(served, key);
    return { version: before, isGone: true };
  }

  #current({ served, view }: Target, key: string): Version {
    const version = served.store.get(key);
    if (version === undefined) throw notFound(view.stored, key.slice(key.indexOf('/') + 1));
    return version;
  }

  #replace({ served, view }: Target, before: Version, wanted: ObjectTree, part: Part): Version {
    const { stored } = view;
    const current = decode(before);
    const asked = wanted.metadata?.resourceVersion;
    if (asked !== undefined && asked !== '' && asked !== String(before.revision)) throw conflict(stored, current.metadata?.name ?? '');
    const tree = part === 'status' ? { ...current, status: wanted.status } : this.#merged(stored, current, wanted);
    if (part === 'status' && tree.status === undefined) delete tree.status;
    const { metadata } = tree;
    // The last finalizer went: the deletion that waited for it happens now.
    if (metadata?.deletionTimestamp !== undefined && (metadata.finalizers?.length ?? 0) === 0 && (current.metadata?.finalizers?.length ?? 0) > 0) {
      this.#world.remove(served, before.key);
      return before;
    }
    // A write that changes nothing is not stored, as on a real server: the revision stays.
    if (sameContent(encode(tree, before.revision, stored), before)) return before;
    return this.#world.put(served, encode(this.#filled(stored, tree), this.#world.nextRevision(), stored)).version;
  }

  /** What the server owns stays, whatever the writer sent. */
  #merged(stored: StoredKind, current: ObjectTree, wanted: ObjectTree): ObjectTree {
    const kept = current.metadata ?? {};
    const metadata: MetaTree = { ...wanted.metadata };
    for (const name of ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp', 'generation', 'managedFields']) {
      if (kept[name] === undefined) delete metadata[name];
      else metadata[name] = kept[name];
    }
    const tree: ObjectTree = { ...wanted, metadata };
    if (stored.hasStatus) {
      if (current.status === undefined) delete tree.status;
      else tree.status = current.status;
    }
    if (hasGeneration(stored) && JSON.stringify(current.spec) !== JSON.stringify(tree.spec)) metadata.generation = (kept.generation ?? 0) + 1;
    return tree;
  }

  /** What controllers or defaults would add at once, without which clients wait for ever. */
  #filled(stored: StoredKind, tree: ObjectTree): ObjectTree {
    const id = stored.group === '' ? stored.resource : `${stored.resource}.${stored.group}`;
    if (id === 'namespaces') {
      const labels = { 'kubernetes.io/metadata.name': tree.metadata?.name ?? '', ...tree.metadata?.labels };
      return { ...tree, metadata: { ...tree.metadata, labels }, spec: tree.spec ?? { finalizers: ['kubernetes'] }, status: tree.status ?? { phase: 'Active' } };
    }
    if (id === CRD_ID) return this.#establishedCrd(tree);
    if (id === 'pods' && tree.status === undefined) return { ...tree, status: { phase: 'Pending', qosClass: 'BestEffort' } };
    return tree;
  }

  #establishedCrd(tree: ObjectTree): ObjectTree {
    const spec = tree.spec as CrdSpec | undefined;
    const name = tree.metadata?.name ?? '';
    if (
      spec?.names?.plural === undefined ||
      spec.names.kind === undefined ||
      spec.group === undefined ||
      !Array.isArray(spec.versions) ||
      spec.versions.length === 0
    ) {
      throw invalid({ group: 'apiextensions.k8s.io', kind: 'CustomResourceDefinition' }, name, [
        { field: 'spec', reason: 'FieldValueRequired', message: 'Required value: group, names.plural, names.kind and versions are required' },
      ]);
    }
    if (name !== `${spec.names.plural}.${spec.group}`) {
      throw invalid({ group: 'apiextensions.k8s.io', kind: 'CustomResourceDefinition' }, name, [
        { field: 'metadata.name', reason: 'FieldValueInvalid', message: `Invalid value: ${JSON.stringify(name)}: must be spec.names.plural+"."+spec.group` },
      ]);
    }
    const names = {
      plural: spec.names.plural,
      singular: spec.names.singular ?? spec.names.kind.toLowerCase(),
      ...(spec.names.shortNames === undefined ? {} : { shortNames: spec.names.shortNames }),
      kind: spec.names.kind,
      listKind: spec.names.listKind ?? `${spec.names.kind}List`,
      ...(spec.names.categories === undefined ? {} : { categories: spec.names.categories }),
    };
    const known = tree.status as { readonly conditions?: unknown; readonly storedVersions?: readonly string[] } | undefined;
    const lastTransitionTime = tree.metadata?.creationTimestamp ?? this.#world.time();
    const storage = spec.versions.find((version) => version.storage === true)?.name ?? spec.versions[0]?.name ?? '';
    return {
      ...tree,
      spec: { ...spec, names },
      status: {
        conditions: known?.conditions ?? [
          { type: 'NamesAccepted', status: 'True', lastTransitionTime, reason: 'NoConflicts', message: 'no conflicts found' },
          { type: 'Established', status: 'True', lastTransitionTime, reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' },
        ],
        acceptedNames: names,
        storedVersions: [...new Set([...(known?.storedVersions ?? []), storage])],
      },
    };
  }

  #suffix(): string {
    const letters = 'bcdfghjklmnpqrstvwxz2456789';
    return Array.from({ length: 5 }, () => letters.charAt(Math.floor(this.#world.random.next() * letters.length))).join('');
  }
}

/** Kinds whose spec changes are counted. */
function hasGeneration(stored: StoredKind): boolean {
  return (
    stored.custom || stored.resource === 'pods' || stored.group === 'apps' || stored.group === 'apiextensions.k8s.io' || stored.resource === 'endpointslices'
  );
}
