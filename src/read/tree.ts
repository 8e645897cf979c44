/** A parsed JSON object, and safe ways into it: what is missing, or of another type than expected, reads as absent. Pure. */
export type Tree = Readonly<Record<string, unknown>>;

const NOTHING: Tree = Object.freeze({});

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value under a path of plain keys, `spec.nodeName`. Keys that hold dots are read with mapAt(). */
export function valueAt(tree: Tree, path: string): unknown {
  let value: unknown = tree;
  for (const key of path.split('.')) {
    if (!isTree(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/** A non-empty string or a number as text, else `fallback`. */
export function textAt(tree: Tree, path: string, fallback = ''): string {
  const value = valueAt(tree, path);
  return (typeof value === 'string' && value !== '') || typeof value === 'number' ? String(value) : fallback;
}

/** A number, 0 when absent: so Go reads an absent integer. */
export function countAt(tree: Tree, path: string): number {
  const value = valueAt(tree, path);
  return typeof value === 'number' ? value : 0;
}

export function mapAt(tree: Tree, path: string): Tree {
  const value = valueAt(tree, path);
  return isTree(value) ? value : NOTHING;
}

/** The objects of an array. */
export function treesAt(tree: Tree, path: string): readonly Tree[] {
  const value = valueAt(tree, path);
  return Array.isArray(value) ? value.filter(isTree) : [];
}

/** The strings of an array. */
export function textsAt(tree: Tree, path: string): readonly string[] {
  const value = valueAt(tree, path);
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** The condition of this type, under `status.conditions`. */
export function conditionOf(tree: Tree, type: string): Tree | undefined {
  return treesAt(tree, 'status.conditions').find((condition) => condition['type'] === type);
}

export function hasTrueCondition(tree: Tree, type: string): boolean {
  return conditionOf(tree, type)?.['status'] === 'True';
}
