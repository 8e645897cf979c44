import { apiVersionOf, type Kind, kindId } from '../model/kind.ts';
import type { KindPattern } from './kind-pattern.ts';
import type { CompiledRules } from './rules.ts';
import { didYouMean } from './suggest.ts';

/** A pattern that names nothing the cluster has. Not an error: the kind may come with a CRD. */
export interface UnmatchedPattern {
  /** `resources[0].kinds[1]`, `kinds[0]`, `workers.pod`. */
  readonly path: string;
  readonly pattern: string;
  /** A kind id, or a pattern over an existing group. */
  readonly suggestion: string | null;
  /** The whole sentence for status and terminal. */
  readonly message: string;
}

/** Every pattern of rules, `kinds` and `workers` that matches none of the discovered kinds, each with what was probably meant. */
export function unmatchedRules(kinds: readonly Kind[], rules: CompiledRules): readonly UnmatchedPattern[] {
  const named: { readonly path: string; readonly pattern: KindPattern; readonly waits: string }[] = [
    ...(rules.only ?? []).map((pattern, index) => ({ path: `kinds[${index}]`, pattern, waits: 'It is mirrored when such a kind appears.' })),
    ...rules.workers.map(({ pattern }) => ({
      path: /^[A-Za-z0-9_-]+$/.test(pattern.text) ? `workers.${pattern.text}` : `workers[${JSON.stringify(pattern.text)}]`,
      pattern,
      waits: 'It has no effect until such a kind appears.',
    })),
    ...rules.rules.flatMap((rule) =>
      rule.patterns.map((pattern, index) => ({
        path: `resources[${rule.index}].kinds[${index}]`,
        pattern,
        waits: 'The rule waits until such a kind appears.',
      })),
    ),
  ];
  const unmatched = named.filter(({ pattern }) => !kinds.some((kind) => pattern.matches(kind)));
  if (unmatched.length === 0) return [];
  const words = kindWords(kinds);
  return unmatched.map(({ path, pattern, waits }) => {
    const suggestion = suggest(pattern, words, kinds);
    const meant = suggestion === null ? '' : ` Did you mean "${suggestion}"?`;
    return { path, pattern: pattern.text, suggestion, message: `${path}: the cluster has no kind "${pattern.text}".${meant} ${waits}` };
  });
}

/** Every word a person may use for a kind, lower case, with the id it stands for; the first kind of a word keeps it. */
function kindWords(kinds: readonly Kind[]): ReadonlyMap<string, string> {
  const words = new Map<string, string>();
  for (const kind of kinds) {
    const id = kindId(kind);
    for (const word of [
      id,
      kind.resource,
      kind.singular,
      kind.kind.toLowerCase(),
      `${kind.kind.toLowerCase()}.${kind.group}`,
      `${kind.singular}.${kind.group}`,
    ]) {
      if (word !== '' && !words.has(word)) words.set(word, id);
    }
  }
  return words;
}

function suggest(pattern: KindPattern, words: ReadonlyMap<string, string>, kinds: readonly Kind[]): string | null {
  if (pattern.text.includes('/')) return otherVersion(pattern.text, kinds);
  if (pattern.literal) {
    const text = pattern.text.toLowerCase();
    const near = words.has(text) ? text : didYouMean(text, words.keys());
    return near === null ? null : (words.get(near) ?? null);
  }
  const group = /^\*\.([^*?]+)$/.exec(pattern.text)?.[1];
  if (group === undefined) return null;
  const near = didYouMean(group, new Set(kinds.map((kind) => kind.group).filter((name) => name !== '')));
  return near === null ? null : `*.${near}`;
}

/** `autoscaling/v2/*` for `autoscaling/v2beta1/*`, when the API server prefers that version. */
function otherVersion(text: string, kinds: readonly Kind[]): string | null {
  const [, group = '', kind] = /^(?:([^/]+)\/)?[^/]+\/([^/]+)$/.exec(text) ?? [];
  const version = kinds.find((known) => known.group === group && (kind === '*' || known.kind === kind));
  return version === undefined || kind === undefined ? null : `${apiVersionOf(version)}/${kind}`;
}
