import { parseExactly } from '../transform/exact-json.ts';
import { isObject, type Json } from './json-value.ts';

/** What happened to a document, as the watch routes number it (section 3.6). */
export const WATCH_ADD = 1;
export const WATCH_DELETE = 2;
export const WATCH_CHANGE = 3;

/** The last object of every stream that ends, and the whole answer to a request that cannot be read. */
export const WATCH_BREAK = '{"type":-1,"value":null}';

/** One change of one collection, before anybody asked for its text. */
export interface DocumentChange {
  readonly collection: 'dynamic' | 'event';
  readonly cluster: string;
  readonly type: string;
  /** The types of the objects that watchers get, in order: a soft deletion is 2 and then 3. */
  readonly frames: readonly number[];
  /** False when a PUT brought what was stored already; null when nobody compared. */
  readonly hasDiff: boolean | null;
  /** The document as JSON text, after the change. */
  readonly text: () => string;
}

/** What a watcher asked for. `selfOnly` and `timeout` are read and not used, as ever. */
export interface WatchRequest {
  /** 0: no limit. */
  readonly maxEvents: number;
  /** Updates without a difference are left out. */
  readonly mustDiff: boolean;
}

/** Null when the body is no JSON object, or an option in it is of the wrong type. */
export function parseWatchRequest(body: string): WatchRequest | null {
  let value: Json;
  try {
    value = JSON.parse(body);
  } catch {
    return null;
  }
  if (!isObject(value)) return null;
  const { maxEvents = 0, mustDiff = '' } = value;
  if (typeof maxEvents !== 'number' || !Number.isInteger(maxEvents) || typeof mustDiff !== 'string') return null;
  return { maxEvents: Math.max(maxEvents, 0), mustDiff: mustDiff !== '' };
}

/** The objects that tell one change, without separators. Keys are as the old service stores them, with U+FF0E and U+FF04 for `.` and `$`. */
export function watchFrames(change: DocumentChange): readonly string[] {
  const value = storedForm(change.text());
  return change.frames.map((type) => `{"type":${type},"value":${value}}`);
}

/** The JSON text with the keys that the old service's database has; as it is when it is nested deeper than the stack. */
export function storedForm(text: string): string {
  if (!/[.$]/.test(text)) return text;
  try {
    return JSON.stringify(withStoredKeys(parseExactly(text)));
  } catch (cause) {
    if (cause instanceof RangeError || cause instanceof SyntaxError) return text;
    throw cause;
  }
}

function withStoredKeys(value: Json): Json {
  if (Array.isArray(value)) return value.map(withStoredKeys);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([key, child]) => [key.replaceAll('.', '．').replaceAll('$', '＄'), withStoredKeys(child)] as const);
  return Object.fromEntries(entries);
}
