import type { Mutant } from '../../../support/break-source.ts';

/** The settlement of requests whose outcome is not known, taken out piece by piece. Each must be caught within so many minutes of a storm. */
export const MUTANTS: readonly (Mutant & { readonly minutes: number; readonly caught: RegExp })[] = [
  {
    name: 'a key moves on though an earlier request of it was not settled',
    file: 'storage/bcs/kind-writer.ts',
    find: 'const why = await this.#settleDoubt(key, intent);',
    replace: 'const why = null;',
    minutes: 4,
    caught: /older after newer/,
  },
  {
    name: 'a request that is still on its connection is taken for lost',
    file: 'storage/bcs/settle.ts',
    find: "if (doubt.how === 'pending') return { is: 'wait' };",
    replace: "if (doubt.how === 'pending') return { is: 'settled' };",
    minutes: 4,
    caught: /older after newer/,
  },
  {
    name: 'a request that was cut is taken for one that cannot arrive any more',
    file: 'storage/bcs/settle.ts',
    find: 'if (now >= doubt.since + ARRIVES_WITHIN_MS)',
    replace: 'if (now >= doubt.since)',
    minutes: 10,
    caught: /older after newer/,
  },
  {
    name: 'a request that was not answered is taken for one that was carried out',
    file: 'storage/bcs/kind-writer.ts',
    find: "return verdict.effect === 'open' && (await this.#wasCarriedOut(key, intent)) ? WRITTEN",
    replace: "return verdict.effect === 'open' ? WRITTEN",
    minutes: 10,
    caught: /differs/,
  },
];
