import { parseExactly } from '../transform/exact-json.ts';
import { matches } from './condition.ts';
import { success } from './envelope.ts';
import { readEventBody } from './event-body.ts';
import { bodyParameters, parseEventQuery } from './event-query.ts';
import { eventText, type EventRow } from './event-store.ts';
import type { JsonObject } from './json-value.ts';
import { project } from './paths.ts';
import { bodyOf, jsonOf, type Route, type StorageRequest, type WatchRoute } from './request.ts';
import { nextTurn, type Service } from './service.ts';

/** `/events` (section 3.4) and `/events/watch`. */
export function eventRoute(service: Service, request: StorageRequest, rest: readonly string[]): Route | WatchRoute | 'unknown' | 'method' {
  const { method, params } = request;
  if (rest.length === 1 && rest[0] === 'watch') {
    return method === 'POST' ? { collection: 'event', cluster: params.get('clusterId') ?? '', type: null } : 'method';
  }
  if (rest.length > 0) return 'unknown';
  switch (method) {
    case 'PUT':
      return { kind: 'put', shape: 'object', run: () => putEvent(service, request) };
    case 'GET':
      return { kind: 'list', shape: 'list', run: () => listEvents(service, (name) => params.get(name)) };
    case 'POST':
      return { kind: 'list', shape: 'list', run: () => listEvents(service, bodyParameters(jsonOf(request))) };
    default:
      return 'method';
  }
}

async function putEvent({ clock, events, writer }: Service, request: StorageRequest): Promise<string> {
  const event = readEventBody(bodyOf(request));
  await writer.submit('many', (log) => events.insert(event, clock.wall(), log));
  return success();
}

async function listEvents({ events }: Service, get: (name: string) => string | null): Promise<string> {
  const query = parseEventQuery(get);
  const { conditions, fields, offset, limit } = query;
  const page: string[] = [];
  let total = 0;
  for (const rows of events.newestFirst(query)) {
    for (const row of rows) {
      const document = conditions.length === 0 && fields === null ? null : documentOf(row);
      if (document !== null && !conditions.every((condition) => matches(document, condition))) continue;
      const isOnPage = total >= offset && page.length < limit;
      total++;
      if (isOnPage) page.push(fields === null || document === null ? eventText(row) : JSON.stringify(project(document, fields)));
    }
    // Others may want a turn; `total` needs every chunk.
    await nextTurn();
  }
  return success(`[${page.join(',')}]`, { total });
}

function documentOf(row: EventRow): JsonObject {
  return parseExactly(eventText(row)) as JsonObject;
}
