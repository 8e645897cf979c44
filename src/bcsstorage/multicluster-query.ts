import type { Condition } from './condition.ts';
import { RequestError } from './envelope.ts';
import { isObject, type Json } from './json-value.ts';
import { parseLabelSelector } from './label-selector.ts';
import { type Path, parsePath } from './paths.ts';
import { parseFields, parsePage } from './query.ts';

/** The body of `multicluster_resources` (section 3.3). */
export interface MulticlusterQuery {
  readonly clusters: readonly string[];
  /** Clusters, namespaces, labels and the caller's own. */
  readonly conditions: readonly Condition[];
  readonly fields: readonly Path[] | null;
  readonly offset: number;
  readonly limit: number;
}

/** Deeper trees of conditions than this are nobody's. */
const DEEPEST = 32;

/** Throws RequestError. */
export function parseMulticlusterQuery(body: Json): MulticlusterQuery {
  if (!isObject(body)) throw bad('the body must be an object with clusteredNamespaces.');
  const scopes = body['clusteredNamespaces'];
  if (!Array.isArray(scopes) || scopes.length === 0) throw bad('clusteredNamespaces is required: [{"clusterId": …, "namespaces": […]}].');
  const parsed = scopes.map(parseScope);
  const conditions: Condition[] = [{ op: 'or', children: parsed.map(({ condition }) => condition) }];
  conditions.push(...parseLabelSelector(textOf(body, 'labelSelector')));
  const { conditions: own = null } = body;
  // One tree, or several that must all hold.
  if (own !== null) conditions.push(...(Array.isArray(own) ? own : [own]).map((one) => parseCondition(one, 0)));
  return {
    clusters: [...new Set(parsed.map(({ cluster }) => cluster))],
    conditions,
    fields: parseFields(textOf(body, 'field')),
    ...parsePage(numberOf(body, 'offset'), numberOf(body, 'limit')),
  };
}

function parseScope(scope: Json): { readonly cluster: string; readonly condition: Condition } {
  const cluster = isObject(scope) ? scope['clusterId'] : undefined;
  if (!isObject(scope) || typeof cluster !== 'string' || cluster === '') throw bad('each of clusteredNamespaces needs a clusterId.');
  const namespaces = scope['namespaces'] ?? [];
  if (!Array.isArray(namespaces) || !namespaces.every((one) => typeof one === 'string')) throw bad('namespaces must be a list of texts.');
  const isCluster: Condition = { op: 'eq', path: ['clusterId'], value: cluster };
  if (namespaces.length === 0) return { cluster, condition: isCluster };
  return { cluster, condition: { op: 'and', children: [isCluster, { op: 'in', path: ['namespace'], values: namespaces }] } };
}

/** A tree of `{"Op": …, "Value": {path: value}, "Children": […]}`; the names of the keys in any case, as Go reads them. */
function parseCondition(value: Json, depth: number): Condition {
  if (!isObject(value)) throw bad('a condition must be an object with Op.');
  if (depth > DEEPEST) throw bad('conditions are nested too deeply.');
  const get = (name: string): Json => Object.entries(value).find(([key]) => key.toLowerCase() === name)?.[1] ?? null;
  const [op, fields, children] = [get('op'), get('value') ?? {}, get('children') ?? []];
  if (!isObject(fields)) throw bad(`the Value of ${JSON.stringify(op)} must be an object of paths.`);
  if (!Array.isArray(children)) throw bad(`the Children of ${JSON.stringify(op)} must be a list.`);
  const below = (): readonly Condition[] => children.map((child) => parseCondition(child, depth + 1));
  switch (op) {
    case 'tr':
      return { op: 'and', children: [] };
    case 'and':
    case 'or':
    case 'nor':
      return { op, children: below() };
    case 'not':
      return { op: 'nor', children: [{ op: 'and', children: below() }] };
    default:
      return { op: 'and', children: Object.entries(fields).map(([name, wanted]) => leaf(op, parsePath(name), wanted)) };
  }
}

function leaf(op: Json, path: Path, wanted: Json): Condition {
  switch (op) {
    case 'eq':
    case 'ne':
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return { op, path, value: wanted };
    case 'in':
    case 'nin':
      if (!Array.isArray(wanted)) throw bad(`the value of "${op}" must be a list.`);
      return { op, path, values: wanted as readonly Json[] };
    case 'con':
      if (typeof wanted !== 'string') throw bad('the value of "con" must be a text.');
      return { op: 'contains', path, text: wanted };
    case 'exists':
      return { op: 'exists', path, wanted: wanted !== false };
    default:
      throw bad(`there is no Op ${JSON.stringify(op)}; there are tr, eq, ne, gt, gte, lt, lte, in, nin, con, exists, and, or, nor, not.`);
  }
}

function textOf(body: Readonly<Record<string, Json>>, name: string): string {
  const value = body[name] ?? '';
  if (typeof value !== 'string') throw bad(`${name} must be a text.`);
  return value;
}

function numberOf(body: Readonly<Record<string, Json>>, name: string): string {
  const value = body[name] ?? '';
  if (typeof value !== 'number' && typeof value !== 'string') throw bad(`${name} must be a number.`);
  return String(value);
}

function bad(message: string): RequestError {
  return new RequestError('query', message);
}
