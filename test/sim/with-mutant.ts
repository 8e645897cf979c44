import { registerHooks } from 'node:module';
import { env } from 'node:process';
import { fileURLToPath } from 'node:url';
import { MUTANTS } from './mutants.ts';

/* `node --import` of this file breaks what KUBEFOLD_MUTANT names, in memory, for this process and its children. */

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));
const mutant = MUTANTS.find(({ name }) => name === env['KUBEFOLD_MUTANT']);
if (mutant === undefined) throw new Error(`KUBEFOLD_MUTANT must be the name of a mutant of test/sim/mutants.ts, current value is ${env['KUBEFOLD_MUTANT']}`);

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
