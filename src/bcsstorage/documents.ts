import { parseExactly } from '../transform/exact-json.ts';
import type { Condition } from './condition.ts';
import type { Json, JsonObject } from './json-value.ts';
import { type Path, project } from './paths.ts';

/** A stored document as it leaves the database. */
export interface DocumentRow {
  readonly id: number;
  readonly type: string;
  readonly cluster: string;
  /** `''` for a cluster-scoped one, whose document has no `namespace`. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string | null;
  readonly revision: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** JSON object of further keys. */
  readonly extra: string | null;
  /** JSON text; null when it was not asked for. */
  readonly data: string | null;
}

/** Keys of a stored document that a client's `extra` can never set. */
export const OWN_KEYS: ReadonlySet<string> = new Set([
  ...['_id', 'clusterId', 'namespace', 'resourceType', 'resourceName', 'data', 'createTime', 'updateTime', '_isBcsObjectDeleted'],
]);

/** `_id`: 24 hexadecimal digits, rising in the order of creation. */
export function documentId(id: number): string {
  return id.toString(16).padStart(24, '0');
}

export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

/** The whole document as JSON text. `data` is spliced, not encoded again. */
export function documentText(row: DocumentRow): string {
  const { extra } = row;
  const own = `"_id":"${documentId(row.id)}","clusterId":${JSON.stringify(row.cluster)},"createTime":"${timeText(row.createdAt)}","data":${row.data ?? 'null'}`;
  const place = `${row.namespace === '' ? '' : `"namespace":${JSON.stringify(row.namespace)},`}"resourceName":${JSON.stringify(row.name)}`;
  const rest = extra === null ? '' : `,${extra.slice(1, -1)}`;
  return `{${own},${place},"resourceType":${JSON.stringify(row.type)},"updateTime":"${timeText(row.updatedAt)}"${rest}}`;
}

/** The document for conditions and projections. `data` is parsed only when somebody looks at it. */
export function documentOf(row: DocumentRow): JsonObject {
  let data: Json;
  let isParsed = false;
  return {
    _id: documentId(row.id),
    clusterId: row.cluster,
    createTime: timeText(row.createdAt),
    get data(): Json {
      if (!isParsed) data = parseExactly(row.data ?? 'null');
      isParsed = true;
      return data;
    },
    ...(row.namespace === '' ? {} : { namespace: row.namespace }),
    resourceName: row.name,
    resourceType: row.type,
    updateTime: timeText(row.updatedAt),
    ...(row.extra === null ? {} : (JSON.parse(row.extra) as JsonObject)),
  };
}

/** The document as it is answered. */
export function rendered(row: DocumentRow, fields: readonly Path[] | null): string {
  if (fields === null) return documentText(row);
  return quickText(row, fields) ?? JSON.stringify(project(documentOf(row), fields));
}

/** How much of `data` a request needs: a list of names reads a tenth of the pages, one of names, uids and revisions too. */
export type DataNeed = 'none' | 'unless-indexed' | 'whole';

const UID = 'data.metadata.uid';
const REVISION = 'data.metadata.resourceVersion';

export function dataNeed(fields: readonly Path[] | null, conditions: readonly Condition[]): DataNeed {
  if (fields === null || conditions.some((condition) => pathsOf(condition).some(isInData))) return 'whole';
  const deep = fields.filter(isInData);
  if (deep.length === 0) return 'none';
  return deep.every((path) => [UID, REVISION].includes(path.join('.'))) ? 'unless-indexed' : 'whole';
}

function isInData(path: Path): boolean {
  return path[0] === 'data';
}

function pathsOf(condition: Condition): readonly Path[] {
  return 'children' in condition ? condition.children.flatMap(pathsOf) : [condition.path];
}

/** The projection that mirrors ask for at their start, from columns alone; null when it takes more than those. */
function quickText(row: DocumentRow, fields: readonly Path[]): string | null {
  if (row.extra !== null) return null;
  const names = new Set(fields.map((path) => path.join('.')));
  const metadata: Record<string, string> = {};
  const document: Record<string, Json> = { _id: documentId(row.id) };
  for (const name of names) {
    if (name === 'clusterId') document['clusterId'] = row.cluster;
    else if (name === 'resourceName') document['resourceName'] = row.name;
    else if (name === 'resourceType') document['resourceType'] = row.type;
    else if (name === 'updateTime') document['updateTime'] = timeText(row.updatedAt);
    else if (name === 'createTime') document['createTime'] = timeText(row.createdAt);
    else if (name === 'namespace') {
      if (row.namespace !== '') document['namespace'] = row.namespace;
    } else if (name === UID && row.uid !== null && row.revision !== null) metadata['uid'] = row.uid;
    else if (name === REVISION && row.uid !== null && row.revision !== null) metadata['resourceVersion'] = row.revision;
    else if (name !== '_id') return null;
  }
  if (Object.keys(metadata).length > 0) document['data'] = { metadata };
  return JSON.stringify(document);
}
