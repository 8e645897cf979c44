import { LRUCache } from 'lru-cache';
import type { Labels } from '../read/selectors.ts';

/** A JSON object, parsed. */
export type Tree = { [key: string]: unknown };

/** The part of metadata that the hollow cluster itself looks at. */
export interface MetaTree extends Tree {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string | null;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: Tree[];
  finalizers?: string[];
  managedFields?: unknown[];
}

export interface ObjectTree extends Tree {
  apiVersion?: string;
  kind?: string;
  metadata?: MetaTree;
  spec?: unknown;
  status?: unknown;
}

/**
 * One immutable state of one object, as bytes. The revision is not in the bytes, so that a deletion (which gets a new one)
 * and a change of the status alone share everything else with the state before:
 *
 *   bytes[0, revisionAt) REVISION bytes[revisionAt, managedAt) managed bytes[managedAt, statusAt) (status ?? bytes[statusAt, end))
 *
 * Of built-in kinds the bytes begin with `"metadata":` (a view puts `{"kind":…,"apiVersion":…,` or only `{` before it, since list
 * items have neither); of custom kinds they are the whole object, keys sorted.
 */
export interface Version {
  /** `namespace/name`, or `name`. */
  readonly key: string;
  readonly revision: number;
  readonly labels: Labels;
  /** Values of the kind's often selected fields, in its order; `''` when unset. */
  readonly fields: readonly string[];
  readonly bytes: Buffer;
  readonly revisionAt: number;
  readonly managedAt: number;
  readonly statusAt: number;
  /** The value of metadata.managedFields: shared between objects written by the same hands at the same time. */
  readonly managed: Buffer | null;
  readonly status: Buffer | null;
}

export interface Encoding {
  readonly custom: boolean;
  /** Dotted paths whose values every version carries: those that are selected by often. Others are parsed for when asked. */
  readonly fields: readonly string[];
}

const BEFORE_REVISION = ['name', 'generateName', 'namespace', 'uid'];
const AFTER_REVISION = [
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
];

const NO_LABELS: Labels = {};

/** Gives memory for the bytes of one object. */
export type Allocate = (length: number) => Buffer;

/** Not from Buffer's shared pool: one living object would keep seven dead neighbours in memory. */
const allocateAlone: Allocate = (length) => Buffer.allocUnsafeSlow(length);

/** Objects per slab matter little; large ones go alone. */
const SLAB_BYTES = 1024 * 1024;

/**
 * Memory for many objects that come together: an ArrayBuffer of its own costs 250 bytes and a malloc an object. A slab lives as long as
 * any object in it, so this is for seeding, never for objects that come and go.
 */
export function slabAllocator(): Allocate {
  let slab = Buffer.alloc(0);
  let used = 0;
  return (length) => {
    if (length > SLAB_BYTES / 8) return allocateAlone(length);
    if (used + length > slab.length) {
      slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      used = 0;
    }
    used += length;
    return slab.subarray(used - length, used);
  };
}

/** Encodes a parsed object in the key order of a real server (apiserver-observed section 1). */
export function encode(tree: ObjectTree, revision: number, encoding: Encoding, allocate: Allocate = allocateAlone): Version {
  const metadata = tree.metadata ?? {};
  const parts = encoding.custom ? customParts(tree, metadata) : builtinParts(tree, metadata);
  const [head, middle, rest, status] = parts;
  const text = head + middle + rest + status;
  const length = Buffer.byteLength(text);
  const bytes = allocate(length);
  bytes.write(text);
  const size = length === text.length ? (part: string): number => part.length : Buffer.byteLength;
  const revisionAt = size(head);
  const managedAt = revisionAt + size(middle);
  return {
    key: metadata.namespace === undefined || metadata.namespace === '' ? (metadata.name ?? '') : `${metadata.namespace}/${metadata.name}`,
    revision,
    labels: metadata.labels === undefined ? NO_LABELS : internLabels(metadata.labels),
    fields: encoding.fields.map((path) => fieldOf(tree, path)),
    bytes,
    revisionAt,
    managedAt,
    statusAt: managedAt + size(rest),
    managed: encoding.custom || metadata.managedFields === undefined ? null : intern(metadata.managedFields),
    status: null,
  };
}

type Parts = readonly [head: string, middle: string, rest: string, status: string];

function builtinParts(tree: ObjectTree, metadata: MetaTree): Parts {
  const member = (source: Tree, key: string): string => (source[key] === undefined ? '' : `,${JSON.stringify(key)}:${JSON.stringify(source[key])}`);
  const before = BEFORE_REVISION.map((key) => member(metadata, key)).join('');
  const after = AFTER_REVISION.map((key) => member(metadata, key)).join('');
  let rest = '}';
  for (const key of Object.keys(tree)) {
    if (key !== 'apiVersion' && key !== 'kind' && key !== 'metadata' && key !== 'status') rest += member(tree, key);
  }
  return [
    `"metadata":{${before.slice(1)},"resourceVersion":"`,
    `"${after}${metadata.managedFields === undefined ? '' : ',"managedFields":'}`,
    rest,
    `${member(tree, 'status')}}`,
  ];
}

function customParts(tree: ObjectTree, metadata: MetaTree): Parts {
  const members = (source: Tree, wanted: (key: string) => boolean): readonly string[] =>
    Object.keys(source)
      .filter((key) => wanted(key) && source[key] !== undefined)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${JSON.stringify(sorted(source[key]))}`);
  const top = members(tree, (key) => key < 'metadata');
  const before = members(metadata, (key) => key < 'resourceVersion');
  const after = members(metadata, (key) => key > 'resourceVersion');
  const bottom = members(tree, (key) => key > 'metadata');
  return [
    `{${[...top, `"metadata":{${[...before, '"resourceVersion":"'].join(',')}`].join(',')}`,
    `"${after.map((text) => `,${text}`).join('')}}${bottom.map((text) => `,${text}`).join('')}}`,
    '',
    '',
  ];
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

/**
 * The same object with another status: 2 µs for a pod of 4 KB, where parsing and encoding it again costs 40. Null when the
 * encoding of the kind does not allow it.
 */
export function withStatus(version: Version, status: Tree, revision: number, encoding: Encoding): Version | null {
  if (encoding.custom || version.statusAt === 0) return null;
  const text = `,"status":${JSON.stringify(status)}}`;
  const bytes = allocateAlone(Buffer.byteLength(text));
  bytes.write(text);
  const holder = { status };
  const fields = version.fields.map((value, index) => {
    const path = encoding.fields[index] ?? '';
    return path.startsWith('status.') ? fieldOf(holder, path) : value;
  });
  return { ...version, revision, fields, status: bytes };
}

/** Memory that only this version holds, when `before` is the state it was made from. */
export function ownBytes(version: Version, before: Version | null): number {
  return (before?.bytes === version.bytes ? 0 : version.bytes.length) + (version.status?.length ?? 0);
}

/** Whether both say the same, apart from the revision. */
export function sameContent(a: Version, b: Version): boolean {
  return rawText(a, '') === rawText(b, '');
}

/** The size of `write`'s output for a revision of `digits` digits. */
export function sizeOf(version: Version, digits: number): number {
  const { bytes, managed, status, statusAt } = version;
  return (status === null ? bytes.length : statusAt + status.length) + (managed === null ? 0 : managed.length) + digits;
}

/** Writes the object into `out` from `at` on; returns where it ends. */
export function write(version: Version, revision: string, out: Buffer, at: number): number {
  const { bytes, revisionAt, managedAt, statusAt, managed, status } = version;
  let end = at + bytes.copy(out, at, 0, revisionAt);
  end += out.write(revision, end, 'latin1');
  end += bytes.copy(out, end, revisionAt, managedAt);
  if (managed !== null) end += managed.copy(out, end);
  if (status === null) return end + bytes.copy(out, end, managedAt);
  end += bytes.copy(out, end, managedAt, statusAt);
  return end + status.copy(out, end);
}

function rawText(version: Version, revision: string): string {
  const out = Buffer.allocUnsafe(sizeOf(version, revision.length));
  write(version, revision, out, 0);
  return out.toString();
}

/** The object as a tree of its own, without kind and apiVersion when it is of a built-in kind. */
export function decode(version: Version, revision: number = version.revision): ObjectTree {
  const text = rawText(version, String(revision));
  return JSON.parse(text.startsWith('{') ? text : `{${text}`) as ObjectTree;
}

/** The text of a dotted path, as field selectors see it; `''` when unset. Lists give their first element's `ip` or text (status.podIPs). */
export function fieldOf(tree: Tree, path: string): string {
  let value: unknown = tree;
  for (const step of path.split('.')) {
    if (typeof value !== 'object' || value === null) return '';
    value = (value as Tree)[step];
  }
  if (Array.isArray(value)) value = value.map((entry: unknown) => (typeof entry === 'object' && entry !== null ? (entry as Tree)['ip'] : entry)).join(',');
  return value === undefined || value === null ? '' : String(value);
}

/** Pods of one replica set have the same labels: 300 bytes a pod. */
const internedLabels = new LRUCache<string, Labels>({ max: 2_000 });

function internLabels(labels: Labels): Labels {
  const text = JSON.stringify(labels);
  let known = internedLabels.get(text);
  if (known === undefined) {
    known = { ...labels };
    internedLabels.set(text, known);
  }
  return known;
}

/** One writer's managedFields repeat thousands of times: keep each text once. */
const internedTexts = new LRUCache<string, Buffer>({ max: 2_000 });
const internedLists = new WeakMap<object, Buffer>();

function intern(managedFields: unknown[]): Buffer {
  const known = internedLists.get(managedFields);
  if (known !== undefined) return known;
  const text = JSON.stringify(managedFields);
  let bytes = internedTexts.get(text);
  if (bytes === undefined) {
    bytes = Buffer.from(text);
    internedTexts.set(text, bytes);
  }
  internedLists.set(managedFields, bytes);
  return bytes;
}
