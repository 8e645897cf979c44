import type { ByteSource } from './body.ts';
import type { Owner } from './owner.ts';
import type { Revision } from './revision.ts';

/**
 * One object as it came over the wire, found by the scanner. Its ByteSource side is the JSON to keep: without
 * `metadata.managedFields`, always with `kind` and `apiVersion` (list items of built-in kinds lack them), without
 * surrounding white space; so the same object gives the same bytes from list, watch and get. Reused between calls: copy what you keep.
 */
export interface RawObject extends ByteSource {
  /** `''` when cluster-scoped. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly revision: Revision;
  /**
   * When the object was written last, in Unix milliseconds: the newest time of its managedFields, by the clock of the API server and cut to whole
   * seconds. Null when it has none. A write that touches no field that anybody manages (the mark of a graceful deletion) leaves an earlier time.
   */
  writtenAt(): number | null;
  /** The controller, else the first of its owners; null when it has none. */
  owner(): Owner | null;
}
