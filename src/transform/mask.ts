import { parseExactly } from './exact-json.ts';
import { forEachMatch, type ObjectPath, setAt } from './paths.ts';

/**
 * What a hidden value becomes, whatever it was: readers see that something was there, and a text of this kind is
 * accepted wherever the engines and kubectl's printers meet it. Replacing rather than removing keeps lists and required fields in place.
 */
export const MASKED = '***';

/** kubectl apply keeps the whole object here, as text: a mask that forgot it would hide nothing. */
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Hides the values in a parsed object, in place; also in the copy that kubectl apply left in an annotation. Twice is the same as once (WL-S6). */
export function applyMask(object: unknown, paths: readonly ObjectPath[]): void {
  changeWithCopy(object, (target) => maskOnce(target, paths));
}

/** Takes the fields out of a parsed object, in place; also out of the copy that kubectl apply left in an annotation. */
export function applyRemovals(object: unknown, paths: readonly ObjectPath[]): void {
  changeWithCopy(object, (target) => {
    for (const path of paths) {
      forEachMatch(target, path, (container, key) => {
        if (!Array.isArray(container)) delete container[key];
      });
    }
  });
}

/** A copy that cannot be read is hidden whole: it may hold what the change takes away. */
function changeWithCopy(object: unknown, change: (target: unknown) => void): void {
  change(object);
  const annotations = annotationsOf(object);
  const applied = annotations?.[LAST_APPLIED];
  if (annotations === null || typeof applied !== 'string' || applied === MASKED) return;
  let copy: unknown;
  try {
    copy = parseExactly(applied);
  } catch {
    annotations[LAST_APPLIED] = MASKED;
    return;
  }
  const before = JSON.stringify(copy);
  change(copy);
  const after = JSON.stringify(copy);
  if (after !== before) annotations[LAST_APPLIED] = after;
}

function maskOnce(object: unknown, paths: readonly ObjectPath[]): void {
  for (const path of paths) forEachMatch(object, path, (container, key) => setAt(container, key, MASKED));
}

/** `metadata.annotations` of a parsed object when it is a mapping, to read and change. */
export function annotationsOf(object: unknown): Record<string, unknown> | null {
  const metadata = fieldOf(object, 'metadata');
  const annotations = fieldOf(metadata, 'annotations');
  return typeof annotations === 'object' && annotations !== null && !Array.isArray(annotations) ? (annotations as Record<string, unknown>) : null;
}

export function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}
