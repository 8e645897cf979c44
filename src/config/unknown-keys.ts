import type * as v from 'valibot';
import { didYouMean } from './suggest.ts';

/** What the walk needs of a valibot schema; wrappers have `wrapped`, pipes show their first schema. */
type SchemaNode = {
  readonly type: string;
  readonly wrapped?: SchemaNode;
  readonly entries?: Readonly<Record<string, SchemaNode>>;
  readonly item?: SchemaNode;
};

/** Stands for a list where a mapping belongs: valibot would take a list for a mapping with the keys 0, 1, …. */
export const LIST_FOUND = Symbol('a list');

/**
 * The value without the keys that the schema does not know, each told to `refuse` (valibot itself stops at the first),
 * and without sections left empty (`workers:` with every line below commented out reads as null), which mean the defaults.
 */
export function dropUnknownKeys(schema: v.GenericSchema, value: unknown, refuse: (path: readonly (string | number)[], message: string) => void): unknown {
  return walk(schema as unknown as SchemaNode, value, [], refuse);
}

function walk(
  schema: SchemaNode,
  value: unknown,
  path: readonly (string | number)[],
  refuse: (path: readonly (string | number)[], message: string) => void,
): unknown {
  let node = schema;
  let nullIsMeant = false;
  while (node.wrapped !== undefined) {
    if (node.type === 'nullable') nullIsMeant = true;
    node = node.wrapped;
  }
  if (value === null && !nullIsMeant && (node.entries !== undefined || node.item !== undefined)) return undefined;
  if (Array.isArray(value)) {
    const { item } = node;
    if (node.entries !== undefined) return LIST_FOUND;
    return item === undefined ? value : value.map((element, index) => walk(item, element, [...path, index], refuse) ?? null);
  }
  if (node.entries === undefined || typeof value !== 'object' || value === null) return value;
  const known: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(value)) {
    const entry = Object.hasOwn(node.entries, key) ? node.entries[key] : undefined;
    if (entry !== undefined) {
      const kept = walk(entry, child, [...path, key], refuse);
      if (kept !== undefined) known[key] = kept;
    } else if (node.type === 'strict_object') {
      const names = Object.keys(node.entries);
      const meant = didYouMean(key, names);
      refuse([...path, key], `is not a known key. ${meant === null ? `Known here: ${names.join(', ')}.` : `Did you mean "${meant}"?`}`);
    } else {
      known[key] = child;
    }
  }
  return known;
}
