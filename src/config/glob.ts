/** Compiled patterns with `*` (any text, dots included) and `?` (one character); everything else stands for itself. */
export type Glob = {
  readonly text: string;
  /** No wildcard in it: it matches exactly its own text. */
  readonly literal: boolean;
  matches(name: string): boolean;
};

export function compileGlob(text: string): Glob {
  if (!isPattern(text)) return { text, literal: true, matches: (name) => name === text };
  if (text === '*') return { text, literal: false, matches: () => true };
  const source = text
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replaceAll('?', '.');
  const regExp = new RegExp(`^${source}$`, 's');
  return { text, literal: false, matches: (name) => regExp.test(name) };
}

export function isPattern(text: string): boolean {
  return text.includes('*') || text.includes('?');
}
