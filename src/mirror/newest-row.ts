import type { Cluster } from '../cluster/cluster.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import { within } from '../kit/within.ts';
import { messageOf } from '../model/errors.ts';
import type { Kind } from '../model/kind.ts';
import type { ObjectMeta } from '../model/object.ts';
import { compareRevisions } from '../model/revision.ts';
import { scanObject } from './scan-object.ts';

const TIMEOUT_MS = 5_000;

/**
 * Whether the newest row is newer than its object, which in no history that goes on can be. A history that went back and has overtaken the watermark
 * since shows in nothing else before the audit gets there. A row that says nothing, because its object went or changed again, is left to that.
 */
export async function isAheadOfItsObject(
  row: ObjectMeta,
  parts: { readonly kind: Kind; readonly cluster: Cluster; readonly clock: Clock; readonly log: Logger; readonly signal: AbortSignal },
): Promise<boolean> {
  const { kind, cluster, clock, log, signal } = parts;
  try {
    const bytes = await within(clock, TIMEOUT_MS, signal, (bounded) => cluster.get(kind, row.key, bounded));
    if (bytes === null) return false;
    const { uid, revision } = scanObject(kind, bytes);
    return uid === row.uid && compareRevisions(revision, row.revision) < 0;
  } catch (cause) {
    // The right to list and watch is enough to mirror.
    log.debug('cannot look at the object of the newest row', { key: row.key, error: messageOf(cause) });
    return false;
  }
}
