import { rawNumber } from '../transform/exact-json.ts';

/** A parsed JSON value. Numbers that JSON.parse would round are JSON.rawJSON objects (transform/exact-json.ts). */
export type Json = unknown;
export type JsonObject = Readonly<Record<string, Json>>;

export function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && rawNumber(value) === undefined;
}

/** A number for comparisons; one that was kept as text is rounded. Anything else is what it is. */
export function comparable(value: Json): Json {
  const raw = rawNumber(value);
  return raw === undefined ? value : Number(raw);
}
