import { ObjectScanner } from '../json/scanner.ts';
import { apiVersionOf, type Kind } from '../model/kind.ts';
import type { RawObject } from '../model/raw-object.ts';

/** Finds one object in the bytes of a get. Throws when they cannot be read. */
export function scanObject(kind: Kind, bytes: Uint8Array): RawObject {
  const scanner = new ObjectScanner({ kind: kind.kind, apiVersion: apiVersionOf(kind) });
  scanner.scan(bytes, 0, bytes.length);
  if (scanner.problem !== null) throw scanner.damage();
  return scanner;
}
