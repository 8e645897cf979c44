import type { Condition } from './condition.ts';
import { RequestError } from './envelope.ts';
import { isObject, type Json } from './json-value.ts';
import { type Path, parsePath } from './paths.ts';
import { parseExtra, parseFields, parsePage } from './query.ts';

/** What `/events` is asked for (section 3.4). */
export interface EventQuery {
  readonly clusters: readonly string[];
  /** Unix milliseconds, exclusive. */
  readonly after: number | null;
  readonly before: number | null;
  readonly conditions: readonly Condition[];
  readonly fields: readonly Path[] | null;
  readonly offset: number;
  readonly limit: number;
}

const LISTS = ['id', 'env', 'kind', 'level', 'component', 'type', 'extraInfo.name', 'extraInfo.namespace', 'extraInfo.kind'];

/** `get` gives a parameter of the query or of the body of a POST. `extra` narrows what the other conditions let through. Throws RequestError. */
export function parseEventQuery(get: (name: string) => string | null): EventQuery {
  const clusters = (get('clusterId') ?? '').split(',').filter((cluster) => cluster !== '');
  if (clusters.length === 0) throw new RequestError('query', 'clusterId is required: one or several, with commas between.');
  const conditions: Condition[] = [];
  for (const name of LISTS) {
    const value = get(name) ?? '';
    if (value !== '') conditions.push({ op: 'in', path: parsePath(name), values: value.split(',') });
  }
  for (const [name, value] of Object.entries(parseExtra(get('extra') ?? ''))) {
    conditions.push({ op: 'in', path: parsePath(name), values: Array.isArray(value) ? (value as readonly Json[]) : [value] });
  }
  for (const [name, value] of Object.entries(parseExtra(get('extra_contain') ?? ''))) {
    if (typeof value !== 'string') throw new RequestError('query', `extra_contain: ${JSON.stringify(name)} must be a text.`);
    conditions.push({ op: 'contains', path: parsePath(name), text: value });
  }
  return {
    clusters,
    after: seconds('timeBegin', get('timeBegin')),
    before: seconds('timeEnd', get('timeEnd')),
    conditions,
    fields: parseFields(get('field')),
    ...parsePage(get('offset'), get('length'), 'length'),
  };
}

/** Null, as 0, is no bound. */
function seconds(name: string, text: string | null): number | null {
  if (text === null || text === '' || text === '0') return null;
  if (/^[0-9]{1,12}$/.test(text)) return Number(text) * 1_000;
  throw new RequestError('query', `${name} must be Unix seconds, found ${JSON.stringify(text)}.`);
}

/** The parameters that a POST brings in its body: texts by name; numbers are taken for texts. Throws RequestError. */
export function bodyParameters(body: Json): (name: string) => string | null {
  if (body === undefined) return () => null;
  if (!isObject(body)) throw new RequestError('unmarshal', 'The body must be an object of texts.');
  return (name) => {
    const value = Object.hasOwn(body, name) ? body[name] : null;
    if (value === null || typeof value === 'string') return value;
    if (typeof value === 'number') return String(value);
    throw new RequestError('unmarshal', `"${name}" must be a text.`);
  };
}
