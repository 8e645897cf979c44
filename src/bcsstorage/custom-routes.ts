import { parseExactly } from '../transform/exact-json.ts';
import { matches } from './condition.ts';
import { customDocument, type CustomRow } from './custom-store.ts';
import { RequestError, success } from './envelope.ts';
import { isObject, type Json, type JsonObject } from './json-value.ts';
import { project } from './paths.ts';
import { type ListQuery, parseListQuery } from './query.ts';
import { bodyOf, jsonOf, type Routed, type StorageRequest } from './request.ts';
import { nextTurn, type Service } from './service.ts';

/** `rest` is the path below `/dynamic/customresources`. */
export function customRoute(service: Service, request: StorageRequest, rest: readonly string[]): Routed {
  const [type, index, name, ...more] = rest;
  if (type === undefined || more.length > 0) return 'unknown';
  if (index === undefined) return documents(service, request, type);
  return index === 'index' && name !== undefined ? indexes(service, request, type, name) : 'unknown';
}

function documents(service: Service, request: StorageRequest, type: string): Routed {
  switch (request.method) {
    case 'GET':
      return { kind: 'list', shape: 'list', run: () => list(service, request, type) };
    case 'PUT':
      return { kind: 'put', shape: 'object', run: () => put(service, request, type) };
    case 'DELETE':
      return { kind: 'delete', shape: 'object', run: () => remove(service, request, type) };
    default:
      return 'method';
  }
}

function indexes({ custom, writer }: Service, request: StorageRequest, type: string, name: string): Routed {
  switch (request.method) {
    case 'PUT':
      return {
        kind: 'put',
        shape: 'object',
        async run() {
          const keys = indexKeys(jsonOf(request));
          await writer.submit('many', () => custom.addIndex(type, name, keys));
          return success();
        },
      };
    case 'DELETE':
      return {
        kind: 'delete',
        shape: 'object',
        async run() {
          const isGone = await writer.submit('many', () => custom.dropIndex(type, name));
          if (!isGone) throw new RequestError('delete', `There is no index ${JSON.stringify(name)} of ${JSON.stringify(type)}.`);
          return success();
        },
      };
    default:
      return 'method';
  }
}

/** `{"name": 1, "cluster": {"$numberInt": "1"}}`: the names; which way an index runs does not matter to whether it is unique. */
function indexKeys(body: Json): readonly string[] {
  const keys = isObject(body) ? Object.keys(body) : [];
  if (keys.length === 0) throw new RequestError('unmarshal', 'The body must be an object with the keys of the index: {"name": 1}.');
  return keys;
}

async function list({ custom }: Service, { params }: StorageRequest, type: string): Promise<string> {
  const query = parseListQuery(params);
  const { fields, offset, limit } = query;
  const page: string[] = [];
  let total = 0;
  for (const rows of custom.chunks(type)) {
    for (const row of rows) {
      const document = customDocument(row);
      if (!meets(document, query)) continue;
      if (total >= offset && page.length < limit) page.push(JSON.stringify(fields === null ? document : project(document, fields)));
      total++;
    }
    await nextTurn();
  }
  return success(`[${page.join(',')}]`, { total, pageSize: limit, offset });
}

async function put({ clock, custom, writer }: Service, request: StorageRequest, type: string): Promise<string> {
  const text = bodyOf(request).toString();
  let body: Json;
  try {
    body = parseExactly(text);
  } catch {
    throw new RequestError('unmarshal', 'The body is not valid JSON.');
  }
  if (!isObject(body)) throw new RequestError('unmarshal', 'The body must be an object.');
  const document = body;
  await writer.submit('many', () => custom.put(type, document, clock.wall()));
  return success();
}

/** Every document that meets the query; a DELETE that names nothing would mean all of them, and is refused. */
async function remove({ custom, writer }: Service, { params }: StorageRequest, type: string): Promise<string> {
  const query = parseListQuery(params);
  if (query.conditions.length === 0) throw new RequestError('delete', 'Name which documents: a query parameter, for example name=a.');
  const found: CustomRow[] = [];
  for (const rows of custom.chunks(type)) {
    found.push(...rows.filter((row) => meets(customDocument(row), query)));
    await nextTurn();
  }
  await writer.submit('many', () => {
    for (const { id } of found) {
      // What was written since it was looked at may not be meant any more.
      const current = custom.get(id);
      if (current !== null && meets(customDocument(current), query)) custom.delete(id);
    }
  });
  return success();
}

function meets(document: JsonObject, query: ListQuery): boolean {
  return query.conditions.every((condition) => matches(document, condition));
}
