import { isRevision } from '../../model/revision.ts';
import { type ObjectKey, objectKey } from '../../model/key.ts';
import { apiVersionOf, type Kind } from '../../model/kind.ts';
import type { IndexRow } from '../storage.ts';
import { listPath } from './routes.ts';

/** Rows asked for at once. */
export const PAGE = 500;
/** A list that never holds still is taken as it is after so many passes. */
const MOST_PASSES = 5;

const UID = 'data.metadata.uid';
const REVISION = 'data.metadata.resourceVersion';

/** One row of a stored list, whatever somebody has stored. */
interface ListedDocument {
  readonly _id?: unknown;
  readonly namespace?: unknown;
  readonly resourceName?: unknown;
  readonly data?: { readonly apiVersion?: unknown; readonly metadata?: { readonly uid?: unknown; readonly resourceVersion?: unknown } | null } | null;
}

export interface StoredListOptions {
  readonly cluster: string;
  readonly type: string;
  /** `''`: all. */
  readonly namespace: string;
  /** Checks that documents are of this kind's group, for the type may have been shared by two before us. Null: they are ours. */
  readonly group: Kind | null;
  /** Fetches one page: the JSON array in it. Throws StorageError. */
  readonly fetch: (path: string) => Promise<Buffer>;
}

export interface StoredListEnd {
  /** Documents without a name, uid or revision: they cannot be compared, and are left alone. */
  readonly skipped: number;
  /** Documents of another group that has a Kind of the same name. */
  readonly foreign: number;
}

/**
 * Keys, uids and revisions of every document of a type, page by page to the end. The service sorts nothing and counts by offset, so rows that come or go
 * move others from page to page: each page begins with the last row of the one before, and when that is not what comes, all is read once more, until a pass
 * is undisturbed or brings nothing new. No key is yielded twice.
 */
export async function* storedList(options: StoredListOptions): AsyncGenerator<readonly IndexRow[], StoredListEnd, undefined> {
  const seen = new Set<ObjectKey>();
  const skipped = new Set<string>();
  const foreign = new Set<string>();
  for (let pass = 1; ; pass++) {
    const before = seen.size;
    let isDisturbed = false;
    let last: string | null = null;
    for (let offset = 0; ; ) {
      const documents = await readPage(options, offset);
      const ids = documents.map(identityOf);
      if (last !== null && ids[0] !== last) isDisturbed = true;
      const rows: IndexRow[] = [];
      for (const [at, document] of documents.entries()) {
        const row = rowOf(document);
        if (row === null) skipped.add(ids[at] ?? '');
        else if (!isOfGroup(document, options.group)) foreign.add(ids[at] ?? '');
        else if (!seen.has(row.key)) {
          seen.add(row.key);
          rows.push(row);
        }
      }
      if (rows.length > 0) yield rows;
      last = ids.at(-1) ?? null;
      if (documents.length < PAGE) break;
      offset += PAGE - 1;
    }
    if (!isDisturbed || (pass > 1 && seen.size === before) || pass === MOST_PASSES) return { skipped: skipped.size, foreign: foreign.size };
  }
}

async function readPage({ cluster, type, namespace, group, fetch }: StoredListOptions, offset: number): Promise<readonly ListedDocument[]> {
  const field = ['resourceName', 'namespace', UID, REVISION, ...(group === null ? [] : ['data.apiVersion'])].join(',');
  const list: unknown = JSON.parse((await fetch(listPath(cluster, type, namespace, { field, limit: PAGE, offset }))).toString());
  return Array.isArray(list) ? list.filter((one): one is ListedDocument => typeof one === 'object' && one !== null) : [];
}

function identityOf(document: ListedDocument): string {
  return typeof document._id === 'string' ? document._id : `${String(document.namespace)}/${String(document.resourceName)}`;
}

function rowOf({ namespace = '', resourceName, data }: ListedDocument): IndexRow | null {
  const { uid, resourceVersion } = data?.metadata ?? {};
  if (typeof resourceName !== 'string' || resourceName === '' || typeof namespace !== 'string') return null;
  if (typeof uid !== 'string' || uid === '' || typeof resourceVersion !== 'string' || !isRevision(resourceVersion)) return null;
  return { key: objectKey(namespace, resourceName), uid, revision: resourceVersion };
}

/** Versions of one group change; the group is what tells two kinds apart. */
function isOfGroup({ data }: ListedDocument, kind: Kind | null): boolean {
  if (kind === null || typeof data?.apiVersion !== 'string') return true;
  const group = (apiVersion: string): string => (apiVersion.includes('/') ? (apiVersion.split('/', 1)[0] ?? '') : '');
  return group(data.apiVersion) === group(apiVersionOf(kind));
}
