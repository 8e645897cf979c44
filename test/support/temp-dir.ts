import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of one test's own. */
export interface TempDir extends Disposable {
  readonly path: string;
  /** The path of an entry inside; nothing is created. */
  file(name: string): string;
  /** Removes the folder and all that is in it; a second call does nothing. */
  remove(): void;
}

/** Folders not yet removed: a test that fails or is cut off leaves nothing behind either. */
const left = new Set<string>();

process.once('exit', () => {
  for (const path of left) rmSync(path, { recursive: true, force: true, maxRetries: 3 });
});

/**
 * Makes an empty folder below the system's temporary folder, with `name` in its own name so that a person who looks there knows whose it is.
 * Use `using dir = tempDir('…')`, or call remove() in afterEach.
 */
export function tempDir(name = 'test'): TempDir {
  const path = mkdtempSync(join(tmpdir(), `kubefold-${name}-`));
  left.add(path);
  const remove = (): void => {
    rmSync(path, { recursive: true, force: true, maxRetries: 3 });
    left.delete(path);
  };
  return { path, file: (entry) => join(path, entry), remove, [Symbol.dispose]: remove };
}
