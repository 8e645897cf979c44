import { apiVersionOf, type Kind, kindId } from '../model/kind.ts';
import { compileGlob } from './glob.ts';

/** A kind as a rule names it; see matches(). */
export interface KindPattern {
  readonly text: string;
  /** Without wildcards: only such a pattern asks for kinds that are off by default. */
  readonly literal: boolean;
  /**
   * A pattern with wildcards is compared with the id only (`*.apps`). One without may be the id (`deployments.apps`), the
   * Kind with or without its group (`Deployment`, `Deployment.apps`), or a short name (`deploy`); without a group, Kind and short name mean every group that has them.
   * One with a slash is compared with apiVersion and Kind (`v1/*`, `apps/v1/Deployment`), where the version is the one that the API server prefers.
   */
  matches(kind: Kind): boolean;
}

export function compileKindPattern(text: string): KindPattern {
  const glob = compileGlob(text);
  if (text.includes('/')) return { text, literal: glob.literal, matches: (kind) => glob.matches(`${apiVersionOf(kind)}/${kind.kind}`) };
  if (!glob.literal) return { text, literal: false, matches: (kind) => glob.matches(kindId(kind)) };
  return {
    text,
    literal: true,
    matches: (kind) =>
      kindId(kind) === text || kind.kind === text || (kind.group !== '' && `${kind.kind}.${kind.group}` === text) || kind.shortNames.includes(text),
  };
}
