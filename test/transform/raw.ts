import type { ByteSource } from '../../src/model/body.ts';
import type { RawObject } from '../../src/model/raw-object.ts';

/** An object as the scanner hands it over, with the bytes of its JSON (or of any text). */
export function rawOf(object: unknown): RawObject {
  const text = typeof object === 'string' ? object : JSON.stringify(object);
  const { metadata = {} } = (typeof object === 'string' ? {} : object) as { readonly metadata?: { readonly namespace?: string; readonly name?: string } };
  const bytes = new TextEncoder().encode(text);
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    uid: 'u',
    revision: '1',
    size: bytes.length,
    writtenAt: () => null,
    owner: () => null,
    copyTo: (target, at) => target.set(bytes, at),
  };
}

export function textOf(source: ByteSource): string {
  const bytes = new Uint8Array(source.size);
  source.copyTo(bytes, 0);
  return new TextDecoder().decode(bytes);
}
