import type { Discovery } from '../cluster/cluster.ts';
import { ApiError } from '../model/errors.ts';
import type { KindId } from '../model/kind.ts';
import type { MirrorOptions } from './mirror-options.ts';

/** CRDs and aggregated APIs are followed by their objects; this is for servers that do not let us watch those. */
export const DISCOVER_EVERY_MS = 60_000;
/** Discovery lags behind a CRD by up to a few seconds (its Established condition comes first), so it is asked again. */
export const DISCOVER_AFTER_CHANGE_MS = [300, 2_000, 6_000];
/** Their objects say which kinds there are. */
export const TELL_KINDS: ReadonlySet<KindId> = new Set(['customresourcedefinitions.apiextensions.k8s.io', 'apiservices.apiregistration.k8s.io']);

interface DiscoveredOptions extends Pick<MirrorOptions, 'cluster' | 'storage' | 'log' | 'explain'> {
  /** Wakes whoever asks, so many milliseconds from now. */
  readonly askAgain: (delayMs: number) => void;
}

/** Which kinds the cluster has. What was known last stays until there is another answer. */
export class Discovered {
  current: Discovery = { kinds: [], broken: [] };
  /** Why the last question was not answered; null when it was. */
  error: string | null = null;
  /** The API server refuses who we are. */
  isRefused = false;
  readonly #options: DiscoveredOptions;
  #interruption = new AbortController();

  constructor(options: DiscoveredOptions) {
    this.#options = options;
  }

  /** Rejects when there is no answer. */
  async ask(signal: AbortSignal): Promise<void> {
    const { cluster, storage, log, askAgain } = this.#options;
    const discovery = await cluster.discover(signal);
    for (const { groupVersion, error } of discovery.broken) {
      if (!this.current.broken.some((known) => known.groupVersion === groupVersion)) {
        log.warn('an API group cannot be discovered; its kinds stay as they are until it can', { groupVersion, error });
      }
    }
    storage.learn?.(discovery.kinds);
    this.current = discovery;
    this.error = null;
    this.isRefused = false;
    // A broken group is asked for again soon: it may come back without any object changing.
    if (discovery.broken.length > 0) askAgain(10_000);
  }

  /** Asks until interrupt() is called; never rejects. */
  async again(signal: AbortSignal): Promise<void> {
    this.#interruption = new AbortController();
    const asking = AbortSignal.any([signal, this.#interruption.signal]);
    try {
      await this.ask(asking);
    } catch (cause) {
      if (asking.aborted) return;
      this.error = this.#options.explain(cause);
      this.#options.log.warn('discovery failed, the known kinds go on', { error: this.error });
      this.#options.askAgain(5_000);
    }
  }

  /** There is something to do by what is known; whoever interrupts asks again. */
  interrupt(): void {
    this.#interruption.abort();
  }

  /** Nothing is known yet, and this is why. Returns it as a sentence. */
  failed(cause: unknown): string {
    this.isRefused = cause instanceof ApiError && (cause.status === 401 || cause.status === 403);
    this.error = this.#options.explain(cause);
    return this.error;
  }
}
