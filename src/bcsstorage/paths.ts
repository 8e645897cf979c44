import { isObject, type Json, type JsonObject } from './json-value.ts';

/*
 * Dotted paths into documents: `data.metadata.labels.app.kubernetes.io/name`. The old service stored dots of keys as U+FF0E and asked for them with
 * dots, so it never found them. Here a dot is either a step or a part of a key, whichever the document has; both are followed when both exist.
 */

/** A dotted path, cut at its dots. */
export type Path = readonly string[];

/** Clients that learned to ask for the stored form of a key are understood too. */
export function parsePath(text: string): Path {
  return text.replaceAll('．', '.').replaceAll('＄', '$').split('.');
}

/**
 * All values at a path. A step into an array is an index, or else is taken in each element, so there may be several; none means that the
 * path does not exist.
 */
export function valuesAt(document: Json, path: Path): readonly Json[] {
  const found: Json[] = [];
  collect(document, path, 0, found);
  return found;
}

function collect(value: Json, path: Path, at: number, found: Json[]): void {
  if (at === path.length) {
    found.push(value);
    return;
  }
  if (Array.isArray(value)) {
    const step = path[at] ?? '';
    if (/^[0-9]+$/.test(step) && Number(step) < value.length) collect(value[Number(step)], path, at + 1, found);
    for (const element of value) if (isObject(element)) collect(element, path, at, found);
    return;
  }
  if (!isObject(value)) return;
  let key = '';
  for (let end = at; end < path.length; end++) {
    key = end === at ? (path[end] ?? '') : `${key}.${path[end]}`;
    if (Object.hasOwn(value, key)) collect(value[key], path, end + 1, found);
  }
}

/**
 * The document with nothing but `_id` and what the paths lead to. Arrays on the way keep those of their elements that are objects, each cut down alike; an object on
 * the way stays, if empty, when the path ends inside it.
 */
export function project(document: JsonObject, paths: readonly Path[]): JsonObject {
  const kept = cut(document, paths, 0);
  return '_id' in document ? { _id: document['_id'], ...kept } : kept;
}

function cut(value: JsonObject, paths: readonly Path[], at: number): Record<string, Json> {
  /** Which paths go on below which key, and from which of their steps; null: one of them ends there, and everything below stays. */
  const below = new Map<string, Map<number, Path[]> | null>();
  for (const path of paths) {
    let key = '';
    for (let end = at; end < path.length; end++) {
      key = end === at ? (path[end] ?? '') : `${key}.${path[end]}`;
      if (!Object.hasOwn(value, key)) continue;
      const known = below.get(key);
      if (known === null) continue;
      if (end + 1 === path.length) below.set(key, null);
      else {
        const steps = known ?? new Map<number, Path[]>();
        steps.set(end + 1, [...(steps.get(end + 1) ?? []), path]);
        below.set(key, steps);
      }
    }
  }
  const kept: Record<string, Json> = {};
  for (const [key, steps] of below) {
    const child = value[key];
    if (steps === null) define(kept, key, child);
    else if (isObject(child)) define(kept, key, merged(child, steps));
    else if (Array.isArray(child))
      define(
        kept,
        key,
        child.filter(isObject).map((element) => merged(element, steps)),
      );
  }
  return kept;
}

function merged(child: JsonObject, steps: ReadonlyMap<number, readonly Path[]>): JsonObject {
  const [only, ...more] = [...steps].map(([at, paths]) => cut(child, paths, at));
  return more.length === 0 ? (only ?? {}) : more.reduce<JsonObject>(deepMerge, only ?? {});
}

/** The union of two cuts of one object. */
function deepMerge(a: JsonObject, b: JsonObject): JsonObject {
  const both: Record<string, Json> = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const other = both[key];
    define(both, key, isObject(other) && isObject(value) ? deepMerge(other, value) : value);
  }
  return both;
}

/** Sets a key of a document, also one that is called `__proto__`. */
function define(target: Record<string, Json>, key: string, value: Json): void {
  if (key === '__proto__') Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  else target[key] = value;
}
