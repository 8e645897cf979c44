import { type Kind, type KindId, kindId } from '../../model/kind.ts';
import { listPath, isEvent } from './routes.ts';
import type { BcsService } from './service.ts';
import { elements } from './spans.ts';
import type { NamedKind } from './type-names.ts';

const DEFINITIONS = 'CustomResourceDefinition';
const PAGE = 500;

/** What a stored CustomResourceDefinition says of its kind, whatever somebody has stored. */
interface Definition {
  readonly data?: {
    readonly spec?: {
      readonly group?: unknown;
      readonly scope?: unknown;
      readonly names?: { readonly kind?: unknown; readonly plural?: unknown } | null;
    } | null;
  } | null;
}

/**
 * The kinds that stored CustomResourceDefinitions are of. No route tells which types a service has, so this is the only way to kinds that are gone from the
 * cluster and were stored by a program before us: where it stored their definitions too. Throws StorageError.
 */
export async function definedKinds(service: BcsService, cluster: string): Promise<readonly Kind[]> {
  const field = ['data.spec.group', 'data.spec.scope', 'data.spec.names.kind', 'data.spec.names.plural'].join(',');
  const found = new Map<KindId, Kind>();
  // Rows that move while this is read are found at the next start.
  for (let offset = 0; ; offset += PAGE) {
    const page = elements(await service.list(listPath(cluster, DEFINITIONS, '', { field, limit: PAGE, offset })));
    for (const text of page) {
      const { group, scope, names } = (JSON.parse(text.toString()) as Definition).data?.spec ?? {};
      const { kind, plural } = names ?? {};
      if (typeof group !== 'string' || group === '' || typeof kind !== 'string' || kind === '' || typeof plural !== 'string' || plural === '') continue;
      const defined: Kind = { group, version: '', resource: plural, kind, namespaced: scope !== 'Cluster', singular: '', shortNames: [], categories: [] };
      found.set(kindId(defined), defined);
    }
    if (page.length < PAGE) return [...found.values()];
  }
}

/**
 * Kinds of which a program before us may have documents, with the type under which it has them: all that are known and on no record. Not Events, which go by
 * themselves, and not those of a Kind that two groups have: whose the documents are would be a guess.
 */
export function unclaimedKinds(known: Iterable<Kind>, isTaken: (type: string) => boolean): ReadonlyMap<KindId, NamedKind> {
  const byType = Map.groupBy(known, ({ kind }) => kind);
  const found = new Map<KindId, NamedKind>();
  for (const [type, kinds] of byType) {
    const [kind, other] = kinds;
    if (kind !== undefined && other === undefined && !isEvent(kind) && !isTaken(type)) found.set(kindId(kind), { kind, type });
  }
  return found;
}
