import { DatabaseSync } from 'node:sqlite';
import { isDeepStrictEqual } from 'node:util';
import type { ControlPlane } from '../../cluster/control-plane.ts';
import { run } from '../../support/spawn.ts';

/** Equal exactly when `differences` is empty. */
export interface Comparison {
  readonly kinds: number;
  readonly objects: number;
  /** A sentence for each object or column that is not as it must be. */
  readonly differences: readonly string[];
}

interface ServedKind {
  readonly group: string;
  readonly resource: string;
  readonly apiVersion: string;
  readonly kind: string;
}

interface Row {
  readonly cluster: string;
  readonly api_group: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly api_version: string;
  readonly kind: string;
  readonly uid: string;
  readonly resource_version: string;
  readonly body: string;
}

interface LiveObject {
  apiVersion?: string;
  kind?: string;
  metadata: { name: string; namespace?: string; uid: string; resourceVersion: string; managedFields?: unknown };
  status?: { conditions?: { lastHeartbeatTime?: unknown }[] };
}

/** Off unless asked for (Secrets, Leases and their candidates), and the second door to the events. */
const NOT_MIRRORED = new Set(['secrets', 'leases.coordination.k8s.io', 'leasecandidates.coordination.k8s.io', 'events.events.k8s.io']);

/**
 * Compares every object that real kubectl says can be listed and watched with the rows of a SQLite file, in both directions.
 * On purpose it shares no code with the program: JSON.parse, a deep comparison and SQL are all it is made of.
 */
export async function compareEveryObject(plane: ControlPlane, database: string, clusterName = 'test'): Promise<Comparison> {
  const kinds = (await servedKinds(plane)).filter((kind) => !NOT_MIRRORED.has(idOf(kind)));
  const live = new Map<string, { readonly served: ServedKind; readonly object: LiveObject }>();
  for (const served of kinds) {
    const path = `/${served.apiVersion.includes('/') ? 'apis' : 'api'}/${served.apiVersion}/${served.resource}`;
    const { items } = await plane.apiOk<{ readonly items: readonly LiveObject[] }>(path);
    // The items of built-in lists do not say what they are; a get of the object does.
    for (const item of items) {
      const object = { apiVersion: served.apiVersion, kind: served.kind, ...item };
      live.set([idOf(served), object.metadata.namespace ?? '', object.metadata.name].join(' '), { served, object });
    }
  }
  const objects = live.size;
  const differences: string[] = [];
  for (const row of rowsOf(database)) {
    const key = [idOf({ group: row.api_group, resource: row.resource }), row.namespace, row.name].join(' ');
    const found = live.get(key);
    live.delete(key);
    if (found === undefined) differences.push(`surplus row: ${key} at ${row.resource_version}`);
    else differences.push(...compareObject(found.served, found.object, row, clusterName).map((text) => `${key}: ${text}`));
  }
  for (const [key, { object }] of live) differences.push(`no row: ${key} at ${object.metadata.resourceVersion}`);
  return { kinds: kinds.length, objects, differences };
}

/** Every row, of every kind. */
export function rowsOf(database: string): readonly Row[] {
  return query<Row>(database, 'SELECT cluster, api_group, resource, namespace, name, api_version, kind, uid, resource_version, body FROM objects');
}

/** The answer to a question in SQL, asked past the program. */
export function query<T>(database: string, sql: string, ...parameters: string[]): readonly T[] {
  const db = new DatabaseSync(database, { readOnly: true });
  try {
    return db.prepare(sql).all(...parameters) as T[];
  } finally {
    db.close();
  }
}

function compareObject(served: ServedKind, object: LiveObject, row: Row, clusterName: string): readonly string[] {
  let body: LiveObject;
  try {
    body = JSON.parse(row.body) as LiveObject;
  } catch {
    return ['the body is no JSON'];
  }
  const differences: string[] = [];
  const column = (name: keyof Row, wanted: string): void => {
    if (row[name] !== wanted) differences.push(`${name} is ${row[name]}, must be ${wanted}`);
  };
  column('cluster', clusterName);
  column('api_version', served.apiVersion);
  column('kind', served.kind);
  column('uid', object.metadata.uid);
  column('resource_version', body.metadata.resourceVersion);
  if ('managedFields' in body.metadata) differences.push('the body has managedFields');
  const [wanted, found] = [object, body].map((side) => comparable(served, side));
  if (!isDeepStrictEqual(wanted, found)) differences.push(`the body differs at ${firstDifference(wanted, found, '')}`);
  return differences;
}

/** What must be equal: all but managedFields; heartbeats of nodes are not worth a write, so with them the revision of a node may lag. */
function comparable(served: ServedKind, object: LiveObject): unknown {
  const copy = structuredClone(object);
  delete copy.metadata.managedFields;
  if (idOf(served) === 'nodes') {
    copy.metadata.resourceVersion = '';
    for (const condition of copy.status?.conditions ?? []) delete condition.lastHeartbeatTime;
  }
  return copy;
}

function firstDifference(wanted: unknown, found: unknown, path: string): string {
  if (typeof wanted === 'object' && wanted !== null && typeof found === 'object' && found !== null) {
    const [left, right] = [wanted as Record<string, unknown>, found as Record<string, unknown>];
    for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
      if (!isDeepStrictEqual(left[key], right[key])) return firstDifference(left[key], right[key], `${path}.${key}`);
    }
  }
  return `${path}: found ${short(found)}, must be ${short(wanted)}`;
}

function short(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 120);
}

/** `NAME [SHORTNAMES] APIVERSION NAMESPACED KIND`; kubectl fails when one aggregated API is broken, but prints the others. */
async function servedKinds(plane: ControlPlane): Promise<readonly ServedKind[]> {
  const args = ['--kubeconfig', plane.kubeconfigPath, 'api-resources', '--verbs=list,watch', '--no-headers'];
  const { stdout, stderr } = await run(plane.program('kubectl'), args, { env: { KUBECACHEDIR: `${plane.dir}/kubectl-cache` } });
  const lines = stdout.split('\n').filter((line) => line.trim() !== '');
  if (lines.length < 20) throw new Error(`kubectl names only ${lines.length} kinds: ${stderr}`);
  return lines.map((line) => {
    const columns = line.trim().split(/\s+/);
    const [apiVersion = '', , kind = ''] = columns.slice(-3);
    return { resource: columns[0] ?? '', apiVersion, kind, group: apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '' };
  });
}

function idOf({ group, resource }: { readonly group: string; readonly resource: string }): string {
  return group === '' ? resource : `${resource}.${group}`;
}
