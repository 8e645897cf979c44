import { comparable, isObject, type Json } from './json-value.ts';
import { type Path, valuesAt } from './paths.ts';

/** What a document must be like. Values are compared as MongoDB compares them, as far as the routes can ask. */
export type Condition =
  | { readonly op: 'and' | 'or' | 'nor'; readonly children: readonly Condition[] }
  /** One of these; an array matches when one of its elements does. */
  | { readonly op: 'in' | 'nin'; readonly path: Path; readonly values: readonly Json[] }
  | { readonly op: 'eq' | 'ne'; readonly path: Path; readonly value: Json }
  | { readonly op: 'gt' | 'gte' | 'lt' | 'lte'; readonly path: Path; readonly value: Json }
  | { readonly op: 'exists'; readonly path: Path; readonly wanted: boolean }
  /** A text that contains this one. */
  | { readonly op: 'contains'; readonly path: Path; readonly text: string }
  /** A point of time, Unix milliseconds, exclusive. Unlike the old service's comparison of formatted texts, time zones and fractions do not matter. */
  | { readonly op: 'after' | 'before'; readonly path: Path; readonly ms: number };

export function matches(document: Json, condition: Condition): boolean {
  switch (condition.op) {
    case 'and':
      return condition.children.every((child) => matches(document, child));
    case 'or':
      return condition.children.some((child) => matches(document, child));
    case 'nor':
      return !condition.children.some((child) => matches(document, child));
    case 'in':
      return isAnyOf(document, condition.path, condition.values);
    case 'nin':
      return !isAnyOf(document, condition.path, condition.values);
    case 'eq':
      return isAnyOf(document, condition.path, [condition.value]);
    case 'ne':
      return !isAnyOf(document, condition.path, [condition.value]);
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte': {
      const { op, value } = condition;
      return leaves(document, condition.path).some((found) => isOrdered(found, op, value));
    }
    case 'exists':
      return valuesAt(document, condition.path).length > 0 === condition.wanted;
    case 'contains':
      return leaves(document, condition.path).some((found) => typeof found === 'string' && found.includes(condition.text));
    case 'after':
    case 'before':
      return leaves(document, condition.path).some((found) => {
        const ms = typeof found === 'string' ? Date.parse(found) : Number.NaN;
        return condition.op === 'after' ? ms > condition.ms : ms < condition.ms;
      });
    default:
      return condition satisfies never;
  }
}

function isAnyOf(document: Json, path: Path, wanted: readonly Json[]): boolean {
  const found = leaves(document, path);
  // Null stands for a field that is missing, too.
  if (found.length === 0) return wanted.includes(null);
  return found.some((one) => wanted.some((value) => isSame(one, value)));
}

/** The values at a path, and the elements of those that are arrays. */
function leaves(document: Json, path: Path): readonly Json[] {
  const found = valuesAt(document, path);
  return found.some(Array.isArray) ? found.flatMap((value) => (Array.isArray(value) ? [value, ...(value as readonly Json[])] : [value])) : found;
}

function isOrdered(found: Json, op: 'gt' | 'gte' | 'lt' | 'lte', value: Json): boolean {
  // Values of different types have no order here; the old service's order of types is nothing to ask for.
  const [a, b] = [comparable(found), comparable(value)];
  if (typeof a === 'number' && typeof b === 'number') return isInOrder(a, op, b);
  return typeof found === 'string' && typeof value === 'string' && isInOrder(found, op, value);
}

function isInOrder<T extends number | string>(a: T, op: 'gt' | 'gte' | 'lt' | 'lte', b: T): boolean {
  switch (op) {
    case 'gt':
      return a > b;
    case 'gte':
      return a >= b;
    case 'lt':
      return a < b;
    case 'lte':
      return a <= b;
    default:
      return op satisfies never;
  }
}

/** Deep equality; the order of keys does not matter. */
export function isSame(a: Json, b: Json): boolean {
  if (comparable(a) === comparable(b)) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((one, at) => isSame(one, b[at]));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && isSame(a[key], b[key]));
}
