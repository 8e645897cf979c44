import type { Tree } from './objects.ts';

/** RFC 7386: null removes, objects merge, everything else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isTree(patch)) return patch;
  const out: Tree = isTree(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key];
    else out[key] = mergePatch(out[key], value);
  }
  return out;
}

/** By which member the elements of a list are told apart in a strategic merge; lists not named here are replaced. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  containers: 'name',
  initContainers: 'name',
  ephemeralContainers: 'name',
  volumes: 'name',
  env: 'name',
  imagePullSecrets: 'name',
  conditions: 'type',
  addresses: 'type',
  volumeMounts: 'mountPath',
  ownerReferences: 'uid',
  hostAliases: 'ip',
  podIPs: 'ip',
};

/**
 * Strategic merge, near enough for kubectl and for writers of status: the directives `$patch`, `$retainKeys` and `$setElementOrder`
 * are understood, merge keys are known by the name of the list.
 */
export function strategicMerge(target: unknown, patch: unknown): unknown {
  if (!isTree(patch)) return patch;
  if (patch['$patch'] === 'delete') return null;
  let out: Tree = isTree(target) && patch['$patch'] !== 'replace' ? { ...target } : {};
  const retain = patch['$retainKeys'];
  if (Array.isArray(retain)) out = Object.fromEntries(Object.entries(out).filter(([key]) => retain.includes(key)));
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$deleteFromPrimitiveList/')) {
      const list = out[key.slice('$deleteFromPrimitiveList/'.length)];
      if (Array.isArray(list) && Array.isArray(value)) out[key.slice('$deleteFromPrimitiveList/'.length)] = list.filter((entry) => !value.includes(entry));
    } else if (key.startsWith('$')) {
    } else if (value === null) {
      delete out[key];
    } else if (Array.isArray(value)) {
      out[key] = mergeList(key, out[key], value);
    } else {
      out[key] = strategicMerge(out[key], value);
    }
  }
  return out;
}

function mergeList(name: string, target: unknown, patch: readonly unknown[]): unknown {
  if (name === 'finalizers' && Array.isArray(target)) return [...new Set([...target, ...patch])];
  const trees = patch.filter(isTree);
  // Ports of a container are told apart by containerPort, those of a service by port.
  const mergeKey = name === 'ports' ? (trees[0]?.['containerPort'] === undefined ? 'port' : 'containerPort') : MERGE_KEYS[name];
  if (mergeKey === undefined || trees.length !== patch.length) return patch;
  if (trees.some((entry) => entry['$patch'] === 'replace')) return trees.filter((entry) => entry['$patch'] === undefined);
  const out: unknown[] = Array.isArray(target) ? [...target] : [];
  for (const entry of trees) {
    const index = out.findIndex((known) => isTree(known) && known[mergeKey] === entry[mergeKey]);
    if (entry['$patch'] === 'delete') {
      if (index >= 0) out.splice(index, 1);
    } else if (index >= 0) {
      out[index] = strategicMerge(out[index], entry);
    } else {
      out.push(strategicMerge(undefined, entry));
    }
  }
  return out;
}

export class PatchError extends Error {
  override readonly name = 'PatchError';
}

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly value?: unknown;
  readonly from?: string;
}

/** RFC 6902: add, remove, replace, test, copy, move. Throws PatchError when a path is missing or a test fails. */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw new PatchError('a JSON patch must be a list of operations');
  const out = { root: structuredClone(target) };
  for (const { op, path, value, from } of patch as readonly Operation[]) {
    if (op === 'add' || op === 'replace') put(out, path, value, op);
    else if (op === 'remove') take(out, path);
    else if (op === 'copy') put(out, path, structuredClone(look(out, from ?? '')), 'add');
    else if (op === 'move') put(out, path, take(out, from ?? ''), 'add');
    else if (op === 'test') {
      if (JSON.stringify(look(out, path)) !== JSON.stringify(value)) throw new PatchError(`testing value ${path} failed`);
    } else throw new PatchError(`unknown operation ${JSON.stringify(op)}`);
  }
  return out.root;
}

type Root = { root: unknown };

function place(root: Root, path: string): { readonly holder: Tree | unknown[]; readonly key: string } {
  const steps = path.split('/').map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  let holder: unknown = root;
  steps[0] = 'root';
  for (const step of steps.slice(0, -1)) holder = (holder as Tree | undefined)?.[step];
  if (typeof holder !== 'object' || holder === null) throw new PatchError(`doc is missing path: ${path}`);
  return { holder: holder as Tree | unknown[], key: steps.at(-1) ?? '' };
}

function look(root: Root, path: string): unknown {
  const { holder, key } = place(root, path);
  return (holder as Tree)[key];
}

function put(root: Root, path: string, value: unknown, op: 'add' | 'replace'): void {
  const { holder, key } = place(root, path);
  if (op === 'replace' && (holder as Tree)[key] === undefined) throw new PatchError(`replace operation does not apply: doc is missing key: ${path}`);
  if (Array.isArray(holder) && op === 'add') holder.splice(key === '-' ? holder.length : Number(key), 0, value);
  else (holder as Tree)[key] = value;
}

function take(root: Root, path: string): unknown {
  const { holder, key } = place(root, path);
  const value = (holder as Tree)[key];
  if (value === undefined) throw new PatchError(`remove operation does not apply: doc is missing key: ${path}`);
  if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else delete holder[key];
  return value;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
