import { didYouMean } from '../config/suggest.ts';
import { UsageError } from '../model/errors.ts';
import { type KindId, kindId, splitKindId } from '../model/kind.ts';
import type { ReadableKind } from './builtin-kinds.ts';

/**
 * Understands one name as kubectl does, in any case: plural, singular, Kind or short name, each with or without `.group` (or the beginning of
 * a group) or `.version.group`. A whole name goes before a short one. Null when none of `kinds` has the name; throws UsageError when kinds of
 * several groups have it and are stored. Callers ask for the built-in kinds first, as discovery lists them first. Pure.
 */
export function findKind<K extends ReadableKind>(text: string, kinds: readonly K[], stored: readonly KindId[]): K | null {
  // The full name of a core kind is its bare plural, so this is the only way to mean the core group's `events` when both are stored.
  const exact = kinds.find((kind) => kindId(kind) === text.toLowerCase());
  if (exact !== undefined && (exact.group !== '' || stored.includes(text.toLowerCase()))) return exact;
  for (const { name, group } of readings(text.toLowerCase())) {
    for (const names of [wholeNames, shortNames]) {
      const named = kinds.filter((kind) => names(kind).includes(name));
      const found = group === null ? mostLikely(named, stored) : ofGroup(named, group);
      if (found.length > 1)
        throw new UsageError(`"${text}" is the name of several kinds: ${found.map(kindId).sort().join(', ')}. Use one of these full names.`);
      if (found[0] !== undefined) return found[0];
    }
  }
  return null;
}

const wholeNames = (kind: ReadableKind): readonly string[] => [kind.resource, kind.singular, kind.kind.toLowerCase()];
const shortNames = (kind: ReadableKind): readonly string[] => kind.shortNames;

/** `deployments.v1.apps` may also be the resource of a group called `v1.apps`, so that reading goes first. */
function readings(text: string): readonly { readonly name: string; readonly group: string | null }[] {
  const { resource, group } = splitKindId(text);
  if (!text.includes('.')) return [{ name: resource, group: null }];
  const versioned = /^v[0-9]+(?:(?:alpha|beta)[0-9]+)?(?:\.(.*))?$/.exec(group);
  return [{ name: resource, group }, ...(versioned === null ? [] : [{ name: resource, group: versioned[1] ?? '' }])];
}

/** Without a group what is in the copy is meant: events, for example, are stored under one of two groups. */
function mostLikely<K extends ReadableKind>(kinds: readonly K[], stored: readonly KindId[]): readonly K[] {
  const inCopy = kinds.filter((kind) => stored.includes(kindId(kind)));
  return inCopy.length > 0 ? inCopy : kinds.slice(0, 1);
}

function ofGroup<K extends ReadableKind>(kinds: readonly K[], group: string): readonly K[] {
  const exact = kinds.filter((kind) => kind.group === group);
  return exact.length > 0 || group === '' ? exact : kinds.filter((kind) => kind.group.startsWith(group));
}

/** What to say when no kind has the name. */
export function unknownKind(text: string, kinds: readonly ReadableKind[], stored: readonly KindId[]): UsageError {
  const names = [...stored, ...kinds.flatMap((kind) => [kind.resource, kind.singular, kindId(kind)])];
  const near = didYouMean(text, names);
  return new UsageError(`No kind is called "${text}"${near === null ? '.' : `; did you mean ${near}?`} ${storedText(stored)}`);
}

/** The kinds in a copy, as a sentence. */
export function storedText(stored: readonly KindId[]): string {
  return stored.length === 0 ? 'The copy holds no kind yet.' : `The copy holds: ${stored.join(', ')}.`;
}
