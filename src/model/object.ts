import type { ObjectKey } from './key.ts';
import type { Revision } from './revision.ts';

/** What must be known of an object to mirror it: found by the scanner without parsing the rest. */
export interface ObjectMeta {
  readonly key: ObjectKey;
  readonly uid: string;
  readonly revision: Revision;
}
