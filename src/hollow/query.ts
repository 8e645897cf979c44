import { parseFieldSelector, parseLabelSelector, SelectorError } from '../read/selectors.ts';
import type { FieldSelector, LabelSelector } from '../read/selectors.ts';
import type { Verb } from './faults.ts';
import type { View } from './kinds.ts';
import { decode, fieldOf } from './objects.ts';
import type { Version } from './objects.ts';
import { badRequest, invalid } from './status.ts';
import type { FieldError } from './status.ts';
import type { Filter } from './store.ts';
import { keyName, keyNamespace } from './world.ts';

/** What a list asks for, checked (read-contract sections 3 and 4). */
export interface ListQuery {
  /** null: absent or 0. */
  readonly revision: number | null;
  readonly isExact: boolean;
  readonly limit: number | null;
  readonly token: ContinueToken | null;
}

/** What a watch asks for, checked (read-contract section 5). */
export interface WatchQuery {
  /** null: absent or 0. */
  readonly revision: number | null;
  /** Whether every object comes first as ADDED. */
  readonly sendsState: boolean;
  /** Whether the state is closed by a bookmark with the annotation k8s.io/initial-events-end. */
  readonly endsState: boolean;
  /** sendInitialEvents was asked for: a revision from the future is an error then. */
  readonly isStreamingList: boolean;
  readonly bookmarks: boolean;
  /** null: the server chooses. */
  readonly timeoutSeconds: number | null;
}

export interface ContinueToken {
  /** -1: newest data, inconsistent with earlier pages (SV-S3). */
  readonly revision: number;
  /** The last key of the page before. */
  readonly after: string;
}

const LIST_OPTIONS = { group: 'meta.k8s.io', kind: 'ListOptions' };

/** `watch=`: anything but false and 0 is yes, also the bare word. */
export function isWatch(query: URLSearchParams): boolean {
  const value = query.get('watch');
  return value !== null && value !== 'false' && value !== '0';
}

/** What a request does to a kind, or with a name to one object of it; null: HEAD, OPTIONS and the like. */
export function verbOf(method: string | undefined, name: string | null, query: URLSearchParams): Verb | null {
  switch (method) {
    case 'GET':
      if (name !== null) return 'get';
      return isWatch(query) ? 'watch' : 'list';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return 'delete';
    default:
      return null;
  }
}

/** How much of each object a table brings along. */
export function includeObject(query: URLSearchParams): string {
  const value = query.get('includeObject') ?? 'Metadata';
  if (!['None', 'Metadata', 'Object', ''].includes(value)) throw badRequest(`unrecognized includeObject value: ${JSON.stringify(value)}`);
  return value;
}

function flag(query: URLSearchParams, name: string): boolean | null {
  const value = query.get(name);
  if (value === null || value === '') return null;
  if (value === 'true' || value === '1') return true;
  return value === 'false' || value === '0' ? false : null;
}

function integer(query: URLSearchParams, name: string): number | null {
  const value = query.get(name);
  if (value === null || value === '') return null;
  if (!/^-?\d+$/.test(value)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
  return Number(value);
}

/** null: absent, empty or 0. */
export function revisionOf(query: URLSearchParams): number | null {
  const value = query.get('resourceVersion') ?? '';
  if (!/^\d*$/.test(value)) throw badRequest(`Invalid value: ${JSON.stringify(value)}: strconv.ParseUint: parsing ${JSON.stringify(value)}: invalid syntax`);
  return value === '' || Number(value) === 0 ? null : Number(value);
}

const banned = (field: string, message: string): FieldError => ({ field, reason: 'FieldValueForbidden', message: `Forbidden: ${message}` });

function refuse(errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid(LIST_OPTIONS, '', errors);
}

export function listQuery(query: URLSearchParams): ListQuery {
  const match = query.get('resourceVersionMatch') ?? '';
  const version = query.get('resourceVersion') ?? '';
  const token = query.get('continue') ?? '';
  const errors: FieldError[] = [];
  if (match !== '') {
    if (version === '') errors.push(banned('resourceVersionMatch', 'resourceVersionMatch is forbidden unless resourceVersion is provided'));
    if (token !== '') errors.push(banned('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided'));
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      errors.push({
        field: 'resourceVersionMatch',
        reason: 'FieldValueNotSupported',
        message: `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`,
      });
    }
    if (match === 'Exact' && version === '0') errors.push(banned('resourceVersionMatch', 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  }
  if (query.has('sendInitialEvents')) errors.push(banned('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  refuse(errors);
  const revision = revisionOf(query);
  if (token !== '' && revision !== null) throw badRequest('specifying resource version is not allowed when using continue');
  const asked = integer(query, 'limit') ?? 0;
  // resourceVersion=0 is answered from the cache, which ignores the limit (read-contract section 4).
  const limit = asked <= 0 || (version === '0' && token === '') ? null : asked;
  // With a limit and no match the revision is meant exactly: the legacy rule.
  const isExact = match === 'Exact' || (match === '' && revision !== null && limit !== null);
  return { revision, isExact, limit, token: token === '' ? null : decodeToken(token) };
}

export function watchQuery(query: URLSearchParams): WatchQuery {
  const match = query.get('resourceVersionMatch') ?? '';
  const asked = flag(query, 'sendInitialEvents');
  const errors: FieldError[] = [];
  if (asked !== null && match !== 'NotOlderThan')
    errors.push(banned('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'));
  if (match !== '' && asked === null)
    errors.push(banned('resourceVersionMatch', 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'));
  if (match !== '' && match !== 'NotOlderThan') {
    errors.push({
      field: 'resourceVersionMatch',
      reason: 'FieldValueNotSupported',
      message: `Unsupported value: ${JSON.stringify(match)}: supported values: "NotOlderThan"`,
    });
  }
  if (match !== '' && (query.get('continue') ?? '') !== '')
    errors.push(banned('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided'));
  refuse(errors);
  const revision = revisionOf(query);
  const bookmarks = flag(query, 'allowWatchBookmarks') === true;
  const sendsState = asked ?? revision === null;
  const timeout = integer(query, 'timeoutSeconds');
  return {
    revision,
    sendsState,
    endsState: sendsState && bookmarks,
    isStreamingList: asked === true,
    bookmarks,
    timeoutSeconds: timeout === null || timeout <= 0 ? null : timeout,
  };
}

/** A token like the real server's: readable by those who look, opaque to clients. */
export function encodeToken(token: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: token.revision, start: `${token.after}\0` })).toString('base64url');
}

function decodeToken(text: string): ContinueToken {
  const bad = (why: string): never => {
    throw badRequest(`invalid continue token: continue key is not valid: ${why}`);
  };
  let value: { readonly v?: unknown; readonly rv?: unknown; readonly start?: unknown };
  try {
    value = JSON.parse(Buffer.from(text, 'base64url').toString()) as typeof value;
  } catch {
    return bad('illegal base64 data or JSON');
  }
  if (typeof value !== 'object' || value === null) return bad('not an object');
  if (value.v !== 'meta.k8s.io/v1') return bad(`server does not recognize this encoded version ${JSON.stringify(value.v ?? '')}`);
  if (typeof value.rv !== 'number' || !Number.isSafeInteger(value.rv) || value.rv === 0 || value.rv < -1)
    return bad('incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  if (typeof value.start !== 'string' || !value.start.endsWith('\0') || value.start.length < 2 || value.start.includes('..'))
    return bad('invalid or missing start key');
  return { revision: value.rv, after: value.start.slice(0, -1) };
}

/** The selectors of a request as one filter; null when everything matches. Unknown fields are refused (read-contract section 6). */
export function selectorFilter(query: URLSearchParams, view: View): Filter | null {
  const labelText = query.get('labelSelector') ?? '';
  const fieldText = query.get('fieldSelector') ?? '';
  let labels: LabelSelector;
  let fields: FieldSelector;
  try {
    labels = parseLabelSelector(labelText);
    fields = parseFieldSelector(fieldText);
  } catch (cause) {
    if (cause instanceof SelectorError) throw badRequest(cause.message);
    throw cause;
  }
  for (const { path } of fields.requirements) checkField(view, path);
  const byLabel = labels.requirements.length > 0;
  const byField = fields.requirements.length > 0;
  if (!byLabel && !byField) return null;
  const read = reader(view);
  return (version) => (!byLabel || labels.matches(version.labels)) && (!byField || fields.matches((path) => read(version, path)));
}

function checkField(view: View, path: string): void {
  if (path === 'metadata.name' || (path === 'metadata.namespace' && view.stored.namespaced) || view.fields.has(path)) return;
  throw badRequest(
    view.fields.size === 0 || view.stored.custom
      ? `"${path}" is not a known field selector: only "metadata.name", "metadata.namespace"`
      : `field label not supported: ${path}`,
  );
}

/** Fields whose zero value the real server writes out. */
const FALSE_WHEN_UNSET = new Set(['spec.hostNetwork', 'spec.unschedulable']);

function reader(view: View): (version: Version, path: string) => string {
  const { stored } = view;
  return (version, path) => {
    if (path === 'metadata.name') return keyName(version.key);
    if (path === 'metadata.namespace') return keyNamespace(version.key);
    const source = view.fields.get(path) ?? '';
    const index = stored.fields.indexOf(source);
    const value = index === -1 ? fieldOf(decode(version), source) : (version.fields[index] ?? '');
    return value === '' && FALSE_WHEN_UNSET.has(source) ? 'false' : value;
  };
}

/** What passes both filters; null when everything does. */
export function both(a: Filter | null, b: Filter | null): Filter | null {
  if (a === null || b === null) return a ?? b;
  return (version) => a(version) && b(version);
}

/** Adds the scope of the path to a filter: watches see the whole kind and choose. */
export function scoped(filter: Filter | null, namespace: string): Filter | null {
  if (namespace === '') return filter;
  const prefix = `${namespace}/`;
  return (version) => version.key.startsWith(prefix) && (filter === null || filter(version));
}
