import type { ScopeState } from '../cache/scope.ts';
import { revisionsBetween } from '../model/revision.ts';

/** How far the watermark of a kind is behind what was delivered. */
export interface WatermarkLag {
  /** Revisions between them, of the scope that is furthest behind; null while a scope has no watermark. */
  readonly revisions: number | null;
  /** How long it has stood behind a change that is not durable, in milliseconds; 0 when everything is. */
  readonly ms: number;
}

/**
 * Unix ms as of which the rows of a scope show the cluster, null when it was not heard yet: the last sign of life, or the receipt of the oldest change
 * that is waited for and not durable. A reader of the copy knows nothing of what is pending. Whole milliseconds, for storage keeps no others, and
 * rather older than younger. Pure; `now` is monotonic.
 */
export function rowsAsOf({ heardAt, positions }: Pick<ScopeState, 'heardAt' | 'positions'>, now: number, wall: number): number | null {
  const oldest = positions.oldestAwaited();
  return heardAt === null || oldest === null ? heardAt : Math.min(heardAt, Math.floor(wall - (now - oldest.at)));
}

/** Counts every change that is not durable, also one that waits for a person: a restart would go on from before it. Pure; `now` is monotonic. */
export function watermarkLag(scopes: readonly Pick<ScopeState, 'watermark' | 'progress' | 'positions'>[], now: number): WatermarkLag {
  let revisions: number | null = scopes.length === 0 ? null : 0;
  let ms = 0;
  for (const { watermark, progress, positions } of scopes) {
    const oldest = positions.oldest();
    if (oldest !== null) ms = Math.max(ms, now - oldest.at);
    if (watermark === null || progress === null) revisions = null;
    else if (revisions !== null) revisions = Math.max(revisions, revisionsBetween(watermark, progress));
  }
  return { revisions, ms };
}
