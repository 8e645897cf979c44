import type { Glob } from './glob.ts';

/** Names that pass: one of `include` (null: any) and none of `exclude`. */
export interface NameFilter {
  readonly include: readonly Glob[] | null;
  readonly exclude: readonly Glob[];
}

export function passes(filter: NameFilter, name: string): boolean {
  return (filter.include === null || filter.include.some((glob) => glob.matches(name))) && !filter.exclude.some((glob) => glob.matches(name));
}
