import type { Clock } from '../../src/kit/clock.ts';
import { EpochError } from '../../src/model/errors.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import { compareRevisions } from '../../src/model/revision.ts';
import { aroundStorage } from '../../src/storage/around.ts';
import type { ScopeRecord, Storage, Write } from '../../src/storage/storage.ts';
import { ModelStorage } from '../support/model-storage.ts';

/** The model of storage, made late and doubtful by a test, which also keeps the books that the promises are checked against. */
export class FaultyStorage extends ModelStorage {
  /** How long a batch is under way. */
  delayMs: () => number = () => 0;
  /** Sees every commit, after it. */
  onCommit: (records: readonly ScopeRecord[]) => void = () => {};
  /** An older revision stored after a newer one of the same uid: must stay empty. */
  readonly wentBack: string[] = [];
  /** Throws instead of answering; null answers. */
  bug: () => Error | null = () => null;
  readonly #newest = new Map<string, string>();
  readonly #clock: Clock;

  constructor(clock: Clock, batchLimit = 7) {
    super(batchLimit);
    this.#clock = clock;
  }

  /** Of the writer that may write. */
  epoch = 0;

  /** The storage as one writer has it: its epoch is looked at when a batch is committed. */
  of(epoch: number): Storage {
    return aroundStorage(this, (writes, scopes) => this.write(writes, scopes, undefined, epoch));
  }

  override async write(writes: readonly Write[], scopes: readonly ScopeRecord[], _withdrawn?: AbortSignal, epoch = this.epoch): Promise<readonly Outcome[]> {
    const delayMs = this.delayMs();
    if (delayMs > 0) await this.#clock.sleep(delayMs);
    const bug = this.bug();
    if (bug !== null) throw bug;
    if (epoch < this.epoch) throw new EpochError(`epoch ${this.epoch} writes, and this writer has epoch ${epoch}`, this.epoch);
    // As an engine keeps them: a record a scope, and a retired one goes.
    const kept = new Map(this.records.map((record) => [record.scope, record]));
    for (const record of scopes) {
      if (record.retired === true) kept.delete(record.scope);
      else kept.set(record.scope, record);
    }
    const outcomes = await super.write(writes, []);
    this.records = [...kept.values()];
    for (const write of writes) if (write.type === 'put') this.#check(write.meta.key, write.meta.uid);
    this.onCommit(scopes);
    return outcomes;
  }

  #check(key: string, uid: string): void {
    const row = this.rows.get(`configmaps/${key}`);
    if (row === undefined || row.uid !== uid) return;
    const newest = this.#newest.get(uid);
    if (newest !== undefined && compareRevisions(row.revision, newest) < 0) this.wentBack.push(`${key}: ${row.revision} after ${newest}`);
    else this.#newest.set(uid, row.revision);
  }
}
