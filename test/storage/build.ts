import type { ObjectKey } from '../../src/model/key.ts';
import type { Kind } from '../../src/model/kind.ts';
import type { Delete, IndexRow, Put, ScopeRecord, Storage } from '../../src/storage/storage.ts';

const rest = { namespaced: true, singular: '', shortNames: [], categories: [] };
export const PODS: Kind = { group: '', version: 'v1', resource: 'pods', kind: 'Pod', ...rest };
export const DEPLOYMENTS: Kind = { group: 'apps', version: 'v1', resource: 'deployments', kind: 'Deployment', ...rest };
export const NODES: Kind = { group: '', version: 'v1', resource: 'nodes', kind: 'Node', ...rest, namespaced: false };

export const key = (text: string): ObjectKey => text as ObjectKey;

/** A put of a pod whose body tells its revision. */
export function put(
  name: string,
  revision: string,
  more: { kind?: Kind; uid?: string; body?: Uint8Array | string; rewrite?: boolean; force?: boolean; isChecked?: boolean } = {},
): Put {
  const { kind = PODS, uid = 'u1', body = JSON.stringify({ kind: kind.kind, metadata: { resourceVersion: revision } }) } = more;
  return {
    type: 'put',
    kind,
    meta: { key: key(name), uid, revision },
    body: typeof body === 'string' ? Buffer.from(body) : body,
    // What bodies hold is not what most tests are about.
    isChecked: more.isChecked ?? true,
    ...(more.rewrite === undefined ? {} : { rewrite: more.rewrite }),
    ...(more.force === undefined ? {} : { force: more.force }),
  };
}

export function del(name: string, revision: string | null, more: { kind?: Kind; uid?: string } = {}): Delete {
  return { type: 'delete', kind: more.kind ?? PODS, key: key(name), uid: more.uid ?? 'u1', revision };
}

export function scope(watermark: string | null, more: Partial<ScopeRecord> = {}): ScopeRecord {
  return {
    kind: 'pods',
    scope: '',
    watermark,
    listedAt: 1_700_000_000_000,
    heardAt: 1_700_000_000_500,
    objects: 3,
    complete: true,
    stored: 'form-1',
    rules: 'rules-1',
    identity: 'cluster-1',
    ...more,
  };
}

/** The kinds of the outcomes of one write() call. */
export async function outcomes(storage: Storage, writes: Parameters<Storage['write']>[0], scopes: readonly ScopeRecord[] = []): Promise<string[]> {
  return (await storage.write(writes, scopes)).map((outcome) => outcome.kind);
}

/** The whole index of a kind, sorted by key. */
export async function wholeIndex(storage: Storage, kind = 'pods', within = ''): Promise<IndexRow[]> {
  const rows: IndexRow[] = [];
  for await (const page of storage.index(kind, within)) rows.push(...page);
  return rows.sort((a, b) => (a.key < b.key ? -1 : 1));
}
