import type { View } from './kinds.ts';
import type { Version } from './objects.ts';
import { encodeToken } from './query.ts';
import type { ListQuery } from './query.ts';
import { joined, partial, pieceSize, shown } from './render.ts';
import type { Form, ListMetadata, Piece } from './render.ts';
import { GZIP_BYTES } from './sink.ts';
import type { Sink } from './sink.ts';
import { expired, EXPIRED_CONTINUE, EXPIRED_LIST, tooLarge } from './status.ts';
import type { Filter } from './store.ts';
import { table } from './table.ts';
import type { Served, World } from './world.ts';

/** One write to the socket: large enough that its cost is the copy, small enough that a pause is not noticed. */
const BATCH_BYTES = 256 * 1024;
/** WC-S14. */
export const FRESH_WAIT_MS = 3_000;

const COMMA = Buffer.from(',');
const NOTHING = Buffer.alloc(0);

export interface ListRequest {
  readonly world: World;
  readonly served: Served;
  readonly view: View;
  readonly namespace: string;
  readonly query: ListQuery;
  readonly filter: Filter | null;
  /** The shard selector that is part of `filter`. */
  readonly shardInfo?: string | undefined;
  readonly form: Form;
  readonly includeObject: string;
  readonly sink: Sink;
}

/** Waits until `revision` is reached, at most 3 s; throws Refusal 504. */
export async function fresh(world: World, revision: number | null, signal: AbortSignal): Promise<void> {
  if (revision === null || revision <= world.revision) return;
  if (!(await world.reached(revision, FRESH_WAIT_MS, signal))) throw tooLarge(revision, world.revision);
}

/** Answers a list by the rules of read-contract section 4. Throws Refusal before the first byte. */
export async function list(request: ListRequest): Promise<void> {
  const { world, served, query, namespace, filter, sink, view, form } = request;
  const { token } = query;
  await fresh(world, token === null ? query.revision : token.revision, sink.signal);
  const inconsistent = token?.revision === -1;
  const at = token !== null && !inconsistent ? token.revision : query.isExact ? query.revision : null;
  if (at !== null && !served.store.reaches(at)) {
    if (token === null) throw expired(EXPIRED_LIST);
    throw expired(EXPIRED_CONTINUE, encodeToken({ revision: -1, after: token.after }));
  }
  const page = served.store.page({ namespace, after: token?.after ?? '', at, filter, limit: query.limit });
  const revision = at ?? world.revision;
  const last = page.versions.at(-1);
  const metadata: ListMetadata = {
    resourceVersion: String(revision),
    ...(page.hasMore && last !== undefined ? { continue: encodeToken({ revision, after: last.key }) } : {}),
    ...(page.remaining === null ? {} : { remainingItemCount: page.remaining }),
    ...(request.shardInfo === undefined ? {} : { shardInfo: { selector: request.shardInfo } }),
  };
  if (form === 'table') {
    const trees = page.versions.map((version) => shown(version, view));
    return sink.send({
      body: `${JSON.stringify(table({ view, trees, metadata, includeObject: request.includeObject, wallMs: world.clock.wall(), withColumns: true }))}\n`,
    });
  }
  const [head, tail] =
    form === 'partial'
      ? envelope('PartialObjectMetadataList', 'meta.k8s.io/v1', metadata, false)
      : envelope(`${view.kind}List`, view.apiVersion, metadata, view.stored.custom);
  await stream(sink, [{ bytes: head }, ...page.versions.map((version, index) => item(version, index, request)), { bytes: tail }]);
}

/** What stands around the items. Of custom kinds the keys are sorted, so the list's revision comes last. */
function envelope(kind: string, apiVersion: string, metadata: ListMetadata, custom: boolean): readonly [Buffer, Buffer] {
  if (custom) {
    const sorted = {
      continue: metadata.continue ?? '',
      ...(metadata.remainingItemCount === undefined ? {} : { remainingItemCount: metadata.remainingItemCount }),
      resourceVersion: metadata.resourceVersion,
      ...(metadata.shardInfo === undefined ? {} : { shardInfo: metadata.shardInfo }),
    };
    return [
      Buffer.from(`{"apiVersion":${JSON.stringify(apiVersion)},"items":[`),
      Buffer.from(`],"kind":${JSON.stringify(kind)},"metadata":${JSON.stringify(sorted)}}\n`),
    ];
  }
  return [
    Buffer.from(`{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},"metadata":${JSON.stringify(metadata)},"items":[`),
    Buffer.from(']}\n'),
  ];
}

const itemPrefixes = new WeakMap<View, Buffer>();

function item(version: Version, index: number, { view, form }: ListRequest): Piece {
  if (form === 'object' && view.convert === null) {
    let next = itemPrefixes.get(view);
    if (next === undefined) {
      next = Buffer.concat([COMMA, view.itemPrefix]);
      itemPrefixes.set(view, next);
    }
    return { before: index === 0 ? view.itemPrefix : next, version, revision: String(version.revision), behind: NOTHING };
  }
  const tree = shown(version, view);
  if (form === 'object' && !view.stored.custom) {
    delete tree.kind;
    delete tree.apiVersion;
  }
  return { bytes: Buffer.from(`${index === 0 ? '' : ','}${JSON.stringify(form === 'partial' ? partial(tree) : tree)}`) };
}

async function stream(sink: Sink, pieces: readonly Piece[]): Promise<void> {
  const total = pieces.reduce((sum, piece) => sum + pieceSize(piece), 0);
  sink.open({ ...(total < BATCH_BYTES ? { length: total } : {}), gzip: total > GZIP_BYTES });
  let batch: Piece[] = [];
  let bytes = 0;
  let spare: Buffer | null = null;
  for (const piece of pieces) {
    batch.push(piece);
    bytes += pieceSize(piece);
    if (bytes < BATCH_BYTES) continue;
    const out: Buffer = joined(batch, bytes, spare);
    spare = null;
    if (!sink.write(out)) {
      await sink.drained();
      spare = out;
    }
    if (!sink.isOpen) return;
    batch = [];
    bytes = 0;
  }
  if (bytes > 0) sink.write(joined(batch, bytes, spare));
  sink.end();
}
