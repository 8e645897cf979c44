import { isRevision } from '../../src/model/revision.ts';

/** What must be found in one object. `kept` is the parsed form of what is kept. */
export type Found = { readonly namespace: string; readonly name: string; readonly uid: string; readonly revision: string; readonly kept: unknown } | 'damaged';

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

/** The dumb twin of ObjectScanner for Pods of v1: parses everything. */
export function findByParsing(object: unknown): Found {
  if (!isObject(object)) return 'damaged';
  if (Object.hasOwn(object, 'kind') && object.kind !== 'Pod') return 'damaged';
  if (Object.hasOwn(object, 'apiVersion') && object.apiVersion !== 'v1') return 'damaged';
  const metadata = object.metadata;
  if (!isObject(metadata)) return 'damaged';
  const { name, uid, resourceVersion: revision, managedFields: _, ...others } = metadata;
  const namespace = metadata.namespace ?? '';
  if (!isText(name) || !isText(uid) || !isText(revision) || typeof namespace !== 'string') return 'damaged';
  if (!isRevision(revision) || name.includes('/') || namespace.includes('/')) return 'damaged';
  const kept = { kind: 'Pod', apiVersion: 'v1', ...object, metadata: { name, uid, resourceVersion: revision, ...others } };
  return { namespace, name, uid, revision, kept };
}
