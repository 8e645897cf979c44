import type { Condition } from './condition.ts';
import { RequestError } from './envelope.ts';
import { isObject, type JsonObject } from './json-value.ts';
import { parseLabelSelector } from './label-selector.ts';
import { type Path, parsePath } from './paths.ts';

/** At most so many documents when the client gives no limit. */
const DEFAULT_LIMIT = 3_000;

/** What a request asks of the documents that its path names. */
export interface ListQuery {
  /** Null: whole documents. */
  readonly fields: readonly Path[] | null;
  readonly offset: number;
  readonly limit: number;
  /** All must hold, beside what the path says: `extra` can only narrow that, never change it. */
  readonly conditions: readonly Condition[];
}

/** Reads the query of the dynamic routes (section 3.3). Throws RequestError. */
export function parseListQuery(params: URLSearchParams): ListQuery {
  const conditions: Condition[] = [];
  for (const name of new Set(params.keys())) {
    const values = params.getAll(name);
    switch (name) {
      case 'field':
      case 'offset':
      case 'limit':
        break;
      case 'extra':
        for (const value of values) conditions.push(...equalities(parseExtra(value)));
        break;
      case 'labelSelector':
        for (const value of values) conditions.push(...parseLabelSelector(value));
        break;
      case 'updateTimeBefore':
        for (const value of values) if (value !== '') conditions.push({ op: 'before', path: ['updateTime'], ms: parseTime(value) });
        break;
      default:
        for (const value of values) conditions.push(oneOf(name, value));
    }
  }
  return { fields: parseFields(params.get('field')), ...parsePage(params.get('offset'), params.get('limit')), conditions };
}

/** `a,b`: a text equal to one of these. An empty value asks whether the field is there, which is what the old service meant and crashed on. */
export function oneOf(name: string, value: string): Condition {
  const path = parsePath(name);
  return value.trim() === '' ? { op: 'exists', path, wanted: true } : { op: 'in', path, values: value.split(',') };
}

/** Null for all fields. */
export function parseFields(text: string | null | undefined): readonly Path[] | null {
  const names = (text ?? '').split(',').filter((name) => name !== '');
  return names.length === 0 ? null : names.map(parsePath);
}

/** No limit, and 0, mean DEFAULT_LIMIT. Events call it `length`. */
export function parsePage(
  offset: string | null | undefined,
  limit: string | null | undefined,
  limitName: 'limit' | 'length' = 'limit',
): { readonly offset: number; readonly limit: number } {
  return { offset: wholeNumber('offset', offset), limit: wholeNumber(limitName, limit) || DEFAULT_LIMIT };
}

function wholeNumber(name: string, text: string | null | undefined): number {
  if (text === null || text === undefined || text === '') return 0;
  const number = Number(text);
  if (/^[0-9]+$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new RequestError('query', `${name} must be a whole number, found ${JSON.stringify(text)}.`);
}

/** Base64 of a JSON object; empty means none. Throws RequestError. */
export function parseExtra(text: string): JsonObject {
  if (text === '') return {};
  // A plus sign that nobody escaped has become a blank.
  const base64 = text.replaceAll(' ', '+').replaceAll('-', '+').replaceAll('_', '/');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) throw new RequestError('base64', 'extra must be base64 of a JSON object.');
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(base64, 'base64').toString());
  } catch {
    throw new RequestError('base64', 'extra is base64, but not of a JSON object.');
  }
  if (!isObject(value)) throw new RequestError('base64', 'extra is base64 of JSON, but not of an object.');
  return value;
}

export function equalities(fields: JsonObject): readonly Condition[] {
  return Object.entries(fields).map(([name, value]) => ({ op: 'eq', path: parsePath(name), value }));
}

/** Unix seconds or `YYYY-MM-DDThh:mm:ss.000Z`, as Unix milliseconds. */
function parseTime(text: string): number {
  const ms = /^[0-9]+$/.test(text) ? Number(text) * 1_000 : /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw new RequestError('query', `updateTimeBefore must be Unix seconds or a time like 2026-01-31T12:00:00.000Z, found ${JSON.stringify(text)}.`);
  return ms;
}
