import { groupOf } from '../../model/kind.ts';
import { isBuiltInGroup, mayHave } from './known-kinds.ts';
import type { OldFilter } from './old-files.ts';

/** What the filter file lets through of one group and version. */
export interface Selection {
  readonly groupVersion: string;
  /** Only these Kinds; null for all but `except`. */
  readonly only: readonly string[] | null;
  readonly except: readonly string[];
}

/** The old program left these out whatever the filter file said: they cannot be watched. */
const NEVER = ['ComponentStatus', 'Binding', 'ReplicationControllerDummy'];

/** The old program's choice among the Kinds of a white-listed group and version; null when nothing is left of it. */
export function selectionOf(groupVersion: string, filter: Pick<OldFilter, 'exceptions' | 'specification'>): Selection | null {
  const banned = filter.exceptions.get(groupVersion);
  const specified = filter.specification.size === 0 ? [] : (filter.specification.get(groupVersion) ?? null);
  const isWholeBanned = banned?.length === 0 || specified === null;
  // Namespace passes both lists.
  const listed = isWholeBanned ? ['Namespace'] : specified.length === 0 ? null : [...specified.filter((kind) => banned?.includes(kind) !== true), 'Namespace'];
  const possible = (kinds: readonly string[]): readonly string[] => [...new Set(kinds)].filter((kind) => isKind(kind) && mayHave(groupVersion, kind));
  const fixed = groupVersion === 'storage.k8s.io/v1' ? ['StorageClass'] : null;
  if (listed === null && fixed === null) {
    // Those of Kubernetes itself are never mirrored anyway.
    const never = isBuiltInGroup(groupOf(groupVersion)) ? [] : NEVER;
    return { groupVersion, only: null, except: possible([...(banned ?? []), ...never]).filter((kind) => kind !== 'Namespace') };
  }
  const kinds = (listed ?? ['StorageClass']).filter((kind) => !NEVER.includes(kind) && (fixed === null || fixed.includes(kind)));
  const only = possible(listed === null ? kinds.filter((kind) => banned?.includes(kind) !== true) : kinds);
  return only.length === 0 ? null : { groupVersion, only, except: [] };
}

/** Whether a Kind passes. */
export function selects(selection: Selection, kind: string): boolean {
  return mayHave(selection.groupVersion, kind) && (selection.only?.includes(kind) ?? !selection.except.includes(kind));
}

/** Whether the text can be the name of a Kind; anything else in a list of Kinds never matched. */
export function isKind(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9-]*$/.test(text);
}

/** Whether the text can be a group and version as discovery writes them. */
export function isGroupVersion(text: string): boolean {
  return /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\/)?v[a-z0-9]+$/.test(text);
}
