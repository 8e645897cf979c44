import type { Cluster } from '../cluster/cluster.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import { aborted } from '../kit/within.ts';
import { messageOf } from '../model/errors.ts';
import type { KindId } from '../model/kind.ts';
import type { AuditRound, AuditStatus } from '../model/status.ts';
import type { StorageReader } from '../storage/storage.ts';
import type { AuditedKind } from './audited-kind.ts';
import { type AuditCounts, KindAudit } from './kind-audit.ts';
import { PAGE } from './live-ranges.ts';
import { gapOf, Pace } from './pace.ts';

/** Between two looks whether there is anything to compare. */
const IDLE_MS = 1_000;
const RETRY_MS = 10_000;

export interface AuditorOptions {
  readonly clusterName: string;
  readonly cluster: Cluster;
  /** Null when the engine cannot be read; `why` says so. */
  readonly reader: StorageReader | { readonly why: string };
  readonly clock: Clock;
  readonly log: Logger;
  /** For one round; null switches the audit off. */
  readonly everySeconds: number | null;
  /** Whether rows of an earlier process were taken over unseen: then the first round is not spread, but made within two minutes. */
  readonly isHurried: () => boolean;
  /** Asked at the beginning of a round. */
  readonly kinds: () => readonly AuditedKind[];
  readonly secretKey: () => Uint8Array;
  /** Of what a list brings, a share is ours; what is not costs pages as well. Absent: all is. */
  readonly sharding?: { readonly share: number } | null | undefined;
  readonly countsOf: (id: KindId) => AuditCounts;
}

/** Compares cluster, cache and storage again and again, a page at a time, for as long as the mirror runs. One at a time, whatever is configured. */
export class Auditor {
  readonly #options: AuditorOptions;
  readonly #log: Logger;
  #everySeconds: number | null;
  #last: AuditRound | null = null;
  /** Ends the round that runs, or the wait for the next one. */
  #interrupt = new AbortController();

  constructor(options: AuditorOptions) {
    this.#options = options;
    this.#log = options.log.child({ component: 'audit' });
    this.#everySeconds = options.everySeconds;
  }

  status(): AuditStatus {
    const { reader } = this.#options;
    return { everySeconds: this.#everySeconds, off: this.#everySeconds !== null && 'why' in reader ? reader.why : null, last: this.#last };
  }

  /** Changed live: the round that runs is given up, and one of the new length begins. */
  retune(everySeconds: number | null): void {
    if (everySeconds === this.#everySeconds) return;
    this.#everySeconds = everySeconds;
    this.#interrupt.abort();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, reader } = this.#options;
    if ('why' in reader) return;
    while (!signal.aborted) {
      this.#interrupt = new AbortController();
      const running = AbortSignal.any([signal, this.#interrupt.signal]);
      if (this.#everySeconds === null) {
        await aborted(running);
        continue;
      }
      const begunAt = clock.now();
      try {
        const isFirst = this.#last === null;
        const round = await this.#round(reader, isFirst && this.#options.isHurried() ? 'hurried' : this.#everySeconds * 1000, running);
        if (round === null) {
          await clock.sleep(IDLE_MS, running);
          continue;
        }
        this.#last = { ...round, finishedAt: clock.wall(), seconds: (clock.now() - begunAt) / 1000 };
        this.#say(this.#last);
        await clock.sleep(begunAt + this.#everySeconds * 1000 - clock.now(), running);
      } catch (cause) {
        if (running.aborted) continue;
        this.#log.error('a round of the audit failed, will begin another', { error: messageOf(cause) });
        await clock.sleep(RETRY_MS, running);
      }
    }
  }

  /** Null when there is no kind yet that could be compared. */
  async #round(reader: StorageReader, roundMs: number | 'hurried', signal: AbortSignal): Promise<Omit<AuditRound, 'finishedAt' | 'seconds'> | null> {
    const { clusterName, cluster, clock, countsOf, secretKey } = this.#options;
    const all = this.#options.kinds();
    const can = all.filter((kind) => kind.obstacle() === null);
    if (can.length === 0) return null;
    // Those that are not ready yet may be by the end of the round.
    const kinds = [...can, ...all.filter((kind) => !can.includes(kind))];
    const pace = new Pace(clock, gapOf(roundMs, pagesOf(kinds, this.#options.sharding?.share ?? 1)));
    const ended = new AbortController();
    const within = AbortSignal.any([signal, ended.signal]);
    const settling: Promise<void>[] = [];
    const audits: { readonly id: KindId; readonly audit: KindAudit }[] = [];
    try {
      for (const kind of kinds) {
        const { id } = kind.plan;
        const log = this.#log.child({ kind: id });
        const audit = new KindAudit({ kind, clusterName, cluster, reader, clock, log, pace, secretKey: secretKey(), counts: countsOf(id), signal: within });
        audits.push({ id, audit });
        const settled = audit.settle();
        // Seen at the end of the round; without this a failure on the way would be nobody's.
        settled.catch(() => {});
        settling.push(settled);
        await audit.scan();
      }
      await Promise.all(settling);
    } finally {
      ended.abort();
      await Promise.allSettled(settling);
    }
    const results = audits.map(({ id, audit }) => ({ id, ...audit.result }));
    const sum = (field: 'compared' | 'drift' | 'untold'): number => results.reduce((total, result) => total + result[field], 0);
    return {
      objects: sum('compared'),
      drift: sum('drift'),
      untold: sum('untold'),
      skipped: results.flatMap(({ id, skipped }) => (skipped === null ? [] : [{ id, why: skipped }])),
    };
  }

  #say({ objects, drift, untold, skipped, seconds }: AuditRound): void {
    const fields = { objects, drift, untold, skipped: skipped.map(({ id }) => id).join(','), seconds: Math.round(seconds) };
    if (drift > 0) this.#log.warn('a round of the audit is over, what differed is mended', fields);
    else this.#log.debug('a round of the audit is over', fields);
  }
}

/** List requests of a round, as far as can be told at its beginning. */
function pagesOf(kinds: readonly AuditedKind[], share: number): number {
  let pages = 0;
  for (const { cache } of kinds) for (const { objects } of cache.scopes) pages += Math.max(1, Math.ceil(objects / share / PAGE));
  return pages;
}
