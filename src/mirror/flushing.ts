import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import { messageOf } from '../model/errors.ts';
import type { KindMirror } from './kind-mirror.ts';

const FLUSH_EVERY_MS = 5_000;

/** Commits now and then how complete each kind is, and lets deletions go that need not be held any longer, until `signal` aborts. Never rejects. */
export async function keepFlushing(
  parts: { readonly clock: Clock; readonly log: Logger; readonly all: () => readonly KindMirror[]; readonly leaving: () => ReadonlySet<KindMirror> },
  onFree: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log, all, leaving } = parts;
  while (!signal.aborted) {
    await clock.sleep(FLUSH_EVERY_MS, signal);
    for (const { held } of all()) held.tick();
    for (const mirror of all()) {
      // One that ended while others were flushed has a successor, whose record it must not write over.
      if (leaving().has(mirror) || !all().includes(mirror)) continue;
      await mirror
        .flush()
        .catch((cause: unknown) => log.warn('cannot commit how complete a kind is, will retry', { kind: mirror.id, error: messageOf(cause) }));
    }
    // Not here: a kind that leaves and one that comes back are one after the other only there.
    if ([...leaving()].some(({ cache }) => cache.held === 0)) onFree();
  }
}
