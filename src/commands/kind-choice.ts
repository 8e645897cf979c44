import { didYouMean } from '../config/suggest.ts';
import { UsageError } from '../model/errors.ts';
import { type KindId, kindId, splitKindId } from '../model/kind.ts';
import { BUILTIN_KINDS, type ReadableKind } from '../read/builtin-kinds.ts';
import { findKind } from '../read/kind-names.ts';

/**
 * Which of `ids` a person means, by any name that kubectl knows for a built-in kind, or the resource of any other. Throws UsageError when it is none
 * of them; `what` says what those have in common: `held`, `parked`.
 */
export function chooseKind(text: string, ids: readonly KindId[], what: string): KindId {
  const found = findKind(text, [...BUILTIN_KINDS, ...ids.map(readable)], ids);
  const id = found === null ? null : kindId(found);
  if (id !== null && ids.includes(id)) return id;
  const near = didYouMean(text, ids);
  const others = ids.length === 0 ? `Nothing is ${what} at all.` : `There is something ${what} of ${ids.join(', ')}.`;
  throw new UsageError(`Nothing of "${text}" is ${what}${near === null ? '.' : `; did you mean ${near}?`} ${others}`);
}

function readable(id: KindId): ReadableKind {
  return { ...splitKindId(id), kind: '', namespaced: true, singular: '', shortNames: [], categories: [] };
}
