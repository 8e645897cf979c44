import type { DocumentKey, Scope } from './document-store.ts';
import { listText } from './document-store.ts';
import { OWN_KEYS, rendered } from './documents.ts';
import { RequestError, success } from './envelope.ts';
import { isObject, type JsonObject } from './json-value.ts';
import type { Condition } from './condition.ts';
import { matching } from './document-store.ts';
import { readPutBody } from './put-body.ts';
import { parseExtra, parseListQuery } from './query.ts';
import { bodyOf, jsonOf, type Route, type StorageRequest } from './request.ts';
import { allOf, pageOf, type Service } from './service.ts';

/** One document (section 3.3): GET, PUT, DELETE. */
export function documentRoute(service: Service, request: StorageRequest, key: DocumentKey): Route | 'method' {
  switch (request.method) {
    case 'GET':
      return { kind: 'get', shape: 'object', run: () => getDocument(service, request, key) };
    case 'PUT':
      return { kind: 'put', shape: 'object', run: () => putDocument(service, request, key) };
    case 'DELETE':
      return { kind: 'delete', shape: 'object', run: () => deleteDocument(service, request, key) };
    default:
      return 'method';
  }
}

/** A list of documents: GET, DELETE. */
export function listRoute(service: Service, request: StorageRequest, scope: Scope): Route | 'method' {
  switch (request.method) {
    case 'GET':
      return { kind: 'list', shape: 'list', run: () => listDocuments(service, request, scope) };
    case 'DELETE':
      return { kind: 'delete', shape: 'list', run: () => deleteDocuments(service, request, scope) };
    default:
      return 'method';
  }
}

function getDocument({ documents }: Service, { params }: StorageRequest, key: DocumentKey): string {
  const query = parseListQuery(params);
  const row = documents.get(key);
  const [found] = row === null ? [] : matching([row], query);
  if (found === undefined) throw new RequestError('absent', '');
  return success(rendered(found, query.fields));
}

async function putDocument({ clock, documents, writer }: Service, request: StorageRequest, key: DocumentKey): Promise<string> {
  const body = readPutBody(bodyOf(request));
  if ('problem' in body) throw new RequestError('unmarshal', `${body.problem}.`);
  const extra = storedExtra(parseExtra(request.params.get('extra') ?? ''));
  const outcome = await writer.submit('one', (log) => documents.put({ ...key, ...body, extra }, clock.wall(), log));
  if (outcome !== 'stale') return success();
  // To a client that knows nothing of preconditions this is what would have happened had its PUT come in time and been overwritten since.
  return success('{}', { stale: true });
}

/** What `extra` adds to a stored document; what the path and the service say of it stays theirs. */
function storedExtra(extra: JsonObject): string | null {
  const kept = Object.entries(extra).filter(([name]) => !OWN_KEYS.has(name));
  return kept.length === 0 ? null : JSON.stringify(Object.fromEntries(kept));
}

async function deleteDocument({ clock, documents, writer }: Service, { params }: StorageRequest, key: DocumentKey): Promise<string> {
  const query = parseListQuery(params);
  await writer.submit('many', (log) => {
    if (query.conditions.length > 0) {
      const row = documents.get(key);
      if (row === null || matching([row], query).length === 0) return;
    }
    documents.delete(key, clock.wall(), log);
  });
  return success();
}

async function listDocuments(service: Service, { params }: StorageRequest, scope: Scope): Promise<string> {
  const query = parseListQuery(params);
  return success(listText(await pageOf(service, scope, query), query));
}

/** Every document that meets the query, whatever offset and limit say. A body that cannot be read deletes nothing: it may have held the bounds. */
async function deleteDocuments(service: Service, request: StorageRequest, scope: Scope): Promise<string> {
  const { documents, writer, clock } = service;
  const conditions = [...parseListQuery(request.params).conditions, ...timeBounds(request)];
  const rows = await allOf(service, scope, { conditions }, conditions.length === 0 ? 'none' : 'whole');
  await writer.submit('many', (log) => {
    for (const row of rows) {
      // What was written since it was looked at may not be meant any more.
      const current = documents.get(row);
      if (current !== null && matching([current], { conditions }).length > 0) documents.delete(row, clock.wall(), log);
    }
  });
  return success('[]');
}

function timeBounds(request: StorageRequest): readonly Condition[] {
  const body = jsonOf(request);
  if (body === undefined) return [];
  if (!isObject(body)) throw new RequestError('unmarshal', 'The body must be an object with updateTimeBegin and updateTimeEnd, in Unix seconds.');
  const bound = (name: string, op: 'after' | 'before'): readonly Condition[] => {
    const seconds = body[name] ?? 0;
    if (typeof seconds !== 'number' || !Number.isFinite(seconds)) throw new RequestError('unmarshal', `"${name}" must be Unix seconds.`);
    return seconds > 0 ? [{ op, path: ['updateTime'], ms: seconds * 1_000 }] : [];
  };
  return [...bound('updateTimeBegin', 'after'), ...bound('updateTimeEnd', 'before')];
}
