import type { View } from './kinds.ts';
import { decode, sizeOf, write } from './objects.ts';
import type { ObjectTree, Version } from './objects.ts';
import { notAcceptable } from './status.ts';

/** How a caller wants objects. */
export type Form = 'object' | 'table' | 'partial';

/** The metadata of a list or table. */
export interface ListMetadata {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
  readonly shardInfo?: { readonly selector: string };
}

/**
 * The form an Accept header asks for: its first entry that we can give. JSON is a legal answer to a wish for protobuf (read-contract
 * rule 3), so a header that names nothing else gets JSON too. Throws Refusal 406.
 */
export function formOf(accept: string | undefined, verb: 'list' | 'get' | 'watch'): Form {
  let sawProtobuf = false;
  for (const entry of (accept ?? '*/*').split(',')) {
    const [type = '', ...parameters] = entry.split(';').map((part) => part.trim());
    const values = new Map(parameters.map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]));
    const as = values.get('as');
    if (type === 'application/vnd.kubernetes.protobuf') {
      sawProtobuf = true;
      continue;
    }
    if (type !== 'application/json' && type !== '*/*' && type !== '') continue;
    if (as === undefined) return 'object';
    if (values.get('g') !== 'meta.k8s.io') continue;
    if (as === 'Table') return 'table';
    if (as === (verb === 'list' ? 'PartialObjectMetadataList' : 'PartialObjectMetadata')) return 'partial';
  }
  if (sawProtobuf) return 'object';
  throw notAcceptable();
}

/** The object as its view shows it, kind and apiVersion first. */
export function shown(version: Version, view: View, revision: number = version.revision): ObjectTree {
  const tree = decode(version, revision);
  const whole = view.stored.custom ? tree : { kind: view.kind, apiVersion: view.apiVersion, ...tree };
  return view.convert === null ? whole : view.convert.out(whole);
}

/** Only the metadata, as metadata informers want it. */
export function partial(tree: ObjectTree): ObjectTree {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: tree.metadata ?? {} };
}

/** One object with its kind and apiVersion, no line end. */
export function objectBytes(version: Version, view: View, revision: number = version.revision): Buffer {
  if (view.convert !== null) return Buffer.from(JSON.stringify(shown(version, view, revision)));
  const digits = String(revision);
  const out = Buffer.allocUnsafe(view.prefix.length + sizeOf(version, digits.length));
  view.prefix.copy(out);
  write(version, digits, out, view.prefix.length);
  return out;
}

/** One piece of an answer: bytes that stand, or an object to be written with something before it. */
export type Piece = { readonly bytes: Buffer } | { readonly before: Buffer; readonly version: Version; readonly revision: string; readonly behind: Buffer };

export function pieceSize(piece: Piece): number {
  if ('bytes' in piece) return piece.bytes.length;
  return piece.before.length + sizeOf(piece.version, piece.revision.length) + piece.behind.length;
}

/**
 * Puts pieces into one buffer, so that a batch costs one write and one chunk. `spare` is used when it is large enough: a batch that has
 * left the process. Without it a list of 700 MB leaves 150 MB of buffers to the garbage collector at its peak.
 */
export function joined(pieces: readonly Piece[], totalBytes: number, spare: Buffer | null = null): Buffer {
  const out = spare !== null && spare.length >= totalBytes ? spare.subarray(0, totalBytes) : Buffer.allocUnsafeSlow(totalBytes);
  let at = 0;
  for (const piece of pieces) {
    if ('bytes' in piece) {
      at += piece.bytes.copy(out, at);
    } else {
      at += piece.before.copy(out, at);
      at = write(piece.version, piece.revision, out, at);
      at += piece.behind.copy(out, at);
    }
  }
  return out;
}
