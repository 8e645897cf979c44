import { expect } from 'vitest';
import { systemClock } from '../../../src/kit/clock.ts';
import { until } from '../../support/until.ts';
import { Copy } from '../copy.ts';
import { type MirrorOptions, MirrorProcess } from './mirror-process.ts';

export interface LeaderStatus {
  readonly role: 'leader' | 'standby';
  readonly identity: string;
  readonly holder: string | null;
  readonly epoch: number | null;
}

/** Two processes of one file of SQLite, of which one leads; whoever is gone is replaced. */
export class Replicas {
  readonly #options: MirrorOptions;
  #leader: MirrorProcess | null = null;
  #standby: MirrorProcess | null = null;
  /** Milliseconds from the end of each leader until the next one had written. */
  readonly takeovers: number[] = [];
  readonly gaps: number[] = [];
  /** Leaders that were frozen in the middle of a transaction. */
  insideTransactions = 0;

  constructor(options: MirrorOptions) {
    this.#options = options;
  }

  get leader(): MirrorProcess {
    if (this.#leader === null) throw new Error('nobody was started');
    return this.#leader;
  }

  get standby(): MirrorProcess {
    if (this.#standby === null) throw new Error('nobody stands by');
    return this.#standby;
  }

  async start(): Promise<void> {
    this.#leader = await MirrorProcess.startReady(this.#options);
    await this.startStandby();
  }

  async startStandby(): Promise<void> {
    this.#standby = await MirrorProcess.startReady(this.#options);
    expect((await this.#standby.get('/readyz')).text).toMatch(/^standby: .* leads\n$/m);
  }

  async stop(): Promise<void> {
    for (const one of [this.#standby, this.#leader]) {
      one?.child.signal('SIGCONT');
      await one?.child.stop();
    }
  }

  /** The standby leads, and has written or had nothing to write. Returns the former leader. */
  async takenOver(since: number, withinMs: number): Promise<MirrorProcess> {
    const { leader, standby } = this;
    await until('the standby leads', async () => (await statusOf(standby)).role === 'leader', { withinMs, everyMs: 20 });
    this.takeovers.push(systemClock.now() - since);
    this.#leader = standby;
    this.#standby = null;
    return leader;
  }

  /**
   * Freezes the leader until the standby leads, and returns it, still frozen. One that was frozen in the middle of a transaction keeps the lock of SQLite: then the standby
   * says that it waits for that, and the leader is woken for it.
   */
  async freezeLeader(withinMs: number): Promise<MirrorProcess> {
    const { leader, standby } = this;
    const since = systemClock.now();
    leader.child.signal('SIGSTOP');
    let isInside = false;
    const waits = standby.child.printed(/storage cannot be opened yet/, { on: 'stderr', withinMs }).then(
      () => {
        isInside = true;
        leader.child.signal('SIGCONT');
      },
      () => {},
    );
    await this.takenOver(since, withinMs + 5_000);
    if (isInside) {
      this.insideTransactions++;
      this.takeovers.pop();
      await waits;
    }
    return leader;
  }

  /** The time without a write around the change of the leader to `epoch`, by the rows of the file. There was something to write from `sinceWallMs` on. */
  gapBefore(epoch: number, sinceWallMs: number): number {
    using copy = new Copy(this.#options.database);
    const [found] = copy.all(
      `SELECT (SELECT max(written_at) FROM objects WHERE epoch < ?1) AS last, (SELECT min(written_at) FROM objects WHERE epoch = ?1) AS first`,
      String(epoch),
    );
    return Number(found?.['first']) - Math.max(sinceWallMs, Number(found?.['last'] ?? 0));
  }

  /** Rows of an epoch below `epoch` that were written after `wallMs`. */
  lateRows(epoch: number, wallMs: number): number {
    using copy = new Copy(this.#options.database);
    return Number(copy.all('SELECT count(*) AS n FROM objects WHERE epoch < ? AND written_at > ?', String(epoch), String(wallMs))[0]?.['n']);
  }
}

export async function statusOf(mirror: MirrorProcess): Promise<LeaderStatus> {
  return (JSON.parse((await mirror.get('/status.json')).text) as { readonly leadership: LeaderStatus }).leadership;
}

/** What a process has written, of all kinds. */
export function writesOf(mirror: MirrorProcess): Promise<number> {
  return mirror.metric('kubefold_storage_writes_total');
}
