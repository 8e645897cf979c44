import { hash } from 'node:crypto';
import { forEachMatch, type ObjectPath, parsePath } from './paths.ts';

/** What changes with every write and says nothing by itself. The scanner cuts managedFields; an unscanned object has them still. */
const ALWAYS_IGNORED: readonly ObjectPath[] = ['metadata.resourceVersion', 'metadata.managedFields'].map(parsePath);

/**
 * A hash of what is worth a write: the object without the ignored values. Two versions with the same hash differ only there.
 * 96 bits of SHA-256, in 16 characters, so that a hundred million objects collide with a chance of 1 in 10^13. Depends on the order of keys, which
 * the API server keeps; a different order costs one write and no more.
 *
 * Changes the object: hand in one that is not needed any more.
 */
export function contentHash(object: unknown, ignored: readonly ObjectPath[]): string {
  for (const path of ALWAYS_IGNORED) removeAll(object, path);
  for (const path of ignored) removeAll(object, path);
  return hash('sha256', JSON.stringify(object) ?? '', 'base64url').slice(0, 16);
}

/** A list element becomes null: removing it would move the others under paths that follow. */
function removeAll(object: unknown, path: ObjectPath): void {
  forEachMatch(object, path, (container, key) => {
    if (Array.isArray(container)) container[Number(key)] = null;
    else delete container[key];
  });
}
