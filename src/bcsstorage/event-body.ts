import { isRevision } from '../model/revision.ts';
import { parseExactly } from '../transform/exact-json.ts';
import { timeText } from './documents.ts';
import { RequestError } from './envelope.ts';
import { comparable, isObject, type Json } from './json-value.ts';
import type { PutBody } from './put-body.ts';

/** What a PUT of an event brings. */
export interface EventBody {
  readonly cluster: string;
  /** `data.metadata.name` and `.resourceVersion`: together they tell an event from all others of its cluster. Null when the data has none. */
  readonly name: string | null;
  readonly revision: string | null;
  readonly uid: string | null;
  readonly eventTimeMs: number;
  /** JSON text of the stored document, without `_id`. */
  document(now: number): string;
  /** What becomes `dynamic`.Event; null when the data is not an object with a name and a namespace. */
  readonly copy:
    | (PutBody & { readonly cluster: string; readonly type: 'Event'; readonly namespace: string; readonly name: string; readonly extra: string })
    | null;
}

/** Fields of the body beside `data`, `clusterId` and `eventTime`; texts, `''` when absent. */
const TEXTS = ['id', 'env', 'kind', 'level', 'component', 'type', 'describe'] as const;

/** Reads the body of `PUT /events` (section 2.4). Throws RequestError. */
export function readEventBody(bytes: Buffer): EventBody {
  let body: Json;
  try {
    body = parseExactly(bytes.toString());
  } catch {
    throw new RequestError('unmarshal', 'The body is not valid JSON.');
  }
  if (!isObject(body)) throw new RequestError('unmarshal', 'The body is not a JSON object.');
  const cluster = body['clusterId'];
  if (typeof cluster !== 'string' || cluster === '') throw new RequestError('unmarshal', 'The body has no "clusterId".');
  const { data } = body;
  if (data === undefined) throw new RequestError('unmarshal', 'The body has no "data".');
  const eventTimeMs = timeOf(body['eventTime']);
  const fields: Record<string, Json> = {};
  for (const name of TEXTS) {
    const value = body[name] ?? '';
    if (typeof value !== 'string') throw new RequestError('unmarshal', `"${name}" must be a text.`);
    fields[name] = value;
  }
  const { extraInfo = {} } = body;
  if (!isObject(extraInfo)) throw new RequestError('unmarshal', '"extraInfo" must be an object.');
  fields['extraInfo'] = extraInfo;
  fields['eventTime'] = timeText(eventTimeMs);
  const metadata = isObject(data) && isObject(data['metadata']) ? data['metadata'] : {};
  const [name, namespace, uid, revision] = [metadata['name'], metadata['namespace'], metadata['uid'], metadata['resourceVersion']].map(textOrNull);
  return {
    cluster,
    name: name ?? null,
    revision: revision ?? null,
    uid: uid ?? null,
    eventTimeMs,
    document: (now) => JSON.stringify({ clusterId: cluster, createTime: timeText(now), ...fields, data }),
    copy:
      typeof name !== 'string' || typeof namespace !== 'string'
        ? null
        : {
            ...{ cluster, type: 'Event', namespace, name, uid: uid ?? null },
            ...{ revision: typeof revision === 'string' && isRevision(revision) ? revision : null, data: JSON.stringify(data), extra: JSON.stringify(fields) },
          },
  };
}

function textOrNull(value: Json): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** Unix seconds, as milliseconds. Go's zero time is a large negative number, and fine. */
function timeOf(value: Json): number {
  const seconds = comparable(value ?? 0);
  if (typeof seconds === 'number' && Number.isInteger(seconds) && Math.abs(seconds) <= 8.64e12) return seconds * 1_000;
  throw new RequestError('unmarshal', '"eventTime" must be a whole number of Unix seconds.');
}
