import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));

/** One guard, deliberately broken: `find` stands exactly once in `file` (below src/) and becomes `replace` while the module is loaded. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** Breaks a file of src/ in memory, for this process and whatever it imports from now on. */
export function breakSource(mutant: Mutant): void {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.startsWith('file:') || fileURLToPath(url) !== SRC + mutant.file) return loaded;
      const text = String(typeof loaded.source === 'string' ? loaded.source : Buffer.from(loaded.source as Uint8Array));
      const parts = text.split(mutant.find);
      if (parts.length !== 2)
        throw new Error(`Mutant "${mutant.name}": its text must stand once in src/${mutant.file}, but stands there ${parts.length - 1} times`);
      return { ...loaded, source: parts.join(mutant.replace) };
    },
  });
}
