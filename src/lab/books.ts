import { compareRevisions, type Revision } from '../model/revision.ts';
import { Latencies } from './latencies.ts';

/** A state of one object: null when there is none of that name. */
export interface State {
  readonly uid: string;
  readonly revision: Revision;
}

interface Account {
  /** As the cluster has it. */
  truth: State | null;
  /** As storage has it. */
  stored: State | null;
  /** The newest that storage was ever made to hold, deletions included; null before the first. */
  newest: Revision | null;
  /** Changes that storage does not cover, in the order of history. */
  readonly open: { readonly revision: Revision; readonly atMs: number }[];
}

/**
 * What the cluster did and what storage did, object by object, as both happen. Knows at every moment how many rows are wrong, so the time from which on
 * none is wrong needs no looking. Names are kind and key.
 */
export class Books {
  readonly latencies = new Latencies();
  readonly #accounts = new Map<string, Account>();
  #wrong = 0;
  #exactSince: number | null = 0;
  #changes = 0;
  #writes = 0;
  #steppedBack = 0;
  #refused = 0;
  #lastWriteMs = 0;

  /** Rows that differ from the cluster now. */
  get wrong(): number {
    return this.#wrong;
  }

  /** Since when no row is wrong; null while one is. */
  get exactSince(): number | null {
    return this.#exactSince;
  }

  get changes(): number {
    return this.#changes;
  }

  /** Writes that storage carried out. */
  get writes(): number {
    return this.#writes;
  }

  /** Writes that storage refused because it holds something newer. */
  get refused(): number {
    return this.#refused;
  }

  /** Writes of an older state that storage met after a newer one of the same object, whether it carried them out or refused them. */
  get orderViolations(): number {
    return this.#steppedBack + this.#refused;
  }

  get lastWriteMs(): number {
    return this.#lastWriteMs;
  }

  /** Changes that no write covered so far. */
  get uncovered(): number {
    let open = 0;
    for (const account of this.#accounts.values()) open += account.open.length;
    return open;
  }

  /** An object that exists and is stored from the beginning. */
  preload(name: string, state: State): void {
    this.#accounts.set(name, { truth: state, stored: state, newest: state.revision, open: [] });
  }

  /** A change happened in the cluster; `after` is null for a deletion, which has a revision all the same. */
  changed(name: string, after: State | null, revision: Revision, atMs: number): void {
    this.#changes++;
    const account = this.#accountOf(name);
    const wasWrong = isWrong(account);
    account.truth = after;
    account.open.push({ revision, atMs });
    // Created and deleted before anybody wrote it: there is nothing to store, and nothing is missing.
    if (after === null && account.stored === null) this.#cover(account, revision, atMs);
    this.#note(wasWrong, isWrong(account), atMs);
  }

  /** Storage carried out a write; `after` is null for a deletion. `revision` is the one that the write named, null when it named none. */
  written(name: string, after: State | null, revision: Revision | null, atMs: number): void {
    this.#writes++;
    this.#lastWriteMs = Math.max(this.#lastWriteMs, atMs);
    const account = this.#accountOf(name);
    const wasWrong = isWrong(account);
    account.stored = after;
    if (revision !== null) {
      if (account.newest !== null && compareRevisions(revision, account.newest) < 0) this.#steppedBack++;
      else account.newest = revision;
      this.#cover(account, revision, atMs);
    }
    // What came and went while the deletion before it was under way needs no write any more.
    const last = account.open.at(-1);
    if (account.truth === null && after === null && last !== undefined) this.#cover(account, last.revision, atMs);
    this.#note(wasWrong, isWrong(account), atMs);
  }

  refuse(atMs: number): void {
    this.#refused++;
    this.#lastWriteMs = Math.max(this.#lastWriteMs, atMs);
  }

  /** The names whose rows differ from the cluster, given what storage itself says it holds. */
  compare(rows: ReadonlyMap<string, State>): { readonly missing: number; readonly stale: number; readonly surplus: number } {
    const found = { missing: 0, stale: 0, surplus: 0 };
    for (const [name, { truth }] of this.#accounts) {
      const row = rows.get(name);
      if (truth === null && row !== undefined) found.surplus++;
      else if (truth !== null && row === undefined) found.missing++;
      else if (truth !== null && row !== undefined && !isSame(truth, row)) found.stale++;
    }
    for (const name of rows.keys()) if (!this.#accounts.has(name)) found.surplus++;
    return found;
  }

  #cover(account: Account, revision: Revision, atMs: number): void {
    const { open } = account;
    let covered = 0;
    for (const change of open) {
      if (compareRevisions(change.revision, revision) > 0) break;
      this.latencies.add(atMs - change.atMs);
      covered++;
    }
    if (covered > 0) open.splice(0, covered);
  }

  #note(wasWrong: boolean, isNowWrong: boolean, atMs: number): void {
    if (wasWrong === isNowWrong) return;
    this.#wrong += isNowWrong ? 1 : -1;
    if (this.#wrong === 0) this.#exactSince = atMs;
    else this.#exactSince = null;
  }

  #accountOf(name: string): Account {
    let account = this.#accounts.get(name);
    if (account === undefined) {
      account = { truth: null, stored: null, newest: null, open: [] };
      this.#accounts.set(name, account);
    }
    return account;
  }
}

function isWrong({ truth, stored }: Account): boolean {
  if (truth === null || stored === null) return truth !== stored;
  return !isSame(truth, stored);
}

function isSame(a: State, b: State): boolean {
  return a.uid === b.uid && a.revision === b.revision;
}
