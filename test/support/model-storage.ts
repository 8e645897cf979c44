import type { KindId } from '../../src/model/kind.ts';
import { kindId } from '../../src/model/kind.ts';
import type { ObjectKey } from '../../src/model/key.ts';
import { type Outcome, STALE, UNCHANGED, WRITTEN } from '../../src/model/outcome.ts';
import { compareRevisions } from '../../src/model/revision.ts';
import type { IndexRow, ParkedRow, Put, ScopeRecord, Storage, Write } from '../../src/storage/storage.ts';

/** What a test makes of one write before the model sees it; null lets it through. */
export type Fault = (write: Write) => { readonly outcome: Outcome; readonly happened: boolean } | null;

/** The storage contract in fifty lines, for tests of what stands above it: every write is logged, faults are the test's. */
export class ModelStorage implements Storage {
  readonly name = 'model';
  readonly cannot = {};
  readonly batchLimit: number;
  readonly rows = new Map<string, { uid: string; revision: string; body: string }>();
  readonly log: { readonly id: string; readonly type: Write['type']; readonly revision: string | null }[] = [];
  readonly batches: number[] = [];
  records: readonly ScopeRecord[] = [];
  readonly parkedRows = new Map<string, ParkedRow>();
  fault: Fault = () => null;
  /** Held writes; null lets them through at once. */
  gate: Promise<void> | null = null;

  constructor(batchLimit = 100) {
    this.batchLimit = batchLimit;
  }

  async open(): Promise<void> {}

  async write(writes: readonly Write[], scopes: readonly ScopeRecord[]): Promise<readonly Outcome[]> {
    this.batches.push(writes.length);
    // Bodies are only lent until the promise settles, so they are read after waiting, like an engine that lingers.
    if (this.gate !== null) await this.gate;
    if (scopes.length > 0) this.records = scopes;
    return writes.map((write) => {
      const fault = this.fault(write);
      if (fault === null) return this.#apply(write);
      if (fault.happened) this.#apply(write);
      if (fault.outcome.kind === 'rejected' && write.type === 'put') this.#park(write, fault.outcome.error);
      return fault.outcome;
    });
  }

  #park({ kind, meta: { key, uid, revision } }: Put, error: string): void {
    const id = `${kindId(kind)}/${key}`;
    const before = this.parkedRows.get(id);
    this.parkedRows.set(id, { kind: kindId(kind), key, uid, revision, error, attempts: (before?.attempts ?? 0) + 1, since: before?.since ?? 0 });
  }

  #apply(write: Write): Outcome {
    const key = write.type === 'put' ? write.meta.key : write.key;
    const id = `${kindId(write.kind)}/${key}`;
    const row = this.rows.get(id);
    this.parkedRows.delete(id);
    if (write.type === 'delete') {
      if (row === undefined) return UNCHANGED;
      if (row.uid !== write.uid || (write.revision !== null && compareRevisions(row.revision, write.revision) > 0)) return STALE;
      this.rows.delete(id);
      this.log.push({ id, type: 'delete', revision: write.revision });
      return WRITTEN;
    }
    const { uid, revision } = write.meta;
    const order = row === undefined ? 1 : compareRevisions(revision, row.revision);
    if (write.force !== true && order < 0) return STALE;
    if (write.force !== true && order === 0 && row?.uid === uid && write.rewrite !== true) return UNCHANGED;
    this.rows.set(id, { uid, revision, body: Buffer.from(write.body).toString() });
    this.log.push({ id, type: 'put', revision });
    return WRITTEN;
  }

  async *index(kind: KindId): AsyncGenerator<readonly IndexRow[]> {
    for (const [id, row] of this.rows) {
      if (id.startsWith(`${kind}/`)) yield [{ key: id.slice(kind.length + 1) as IndexRow['key'], uid: row.uid, revision: row.revision }];
    }
  }

  async kinds(): Promise<readonly KindId[]> {
    return [...new Set([...this.rows.keys()].map((id) => id.slice(0, id.indexOf('/'))))];
  }

  async scopes(): Promise<readonly ScopeRecord[]> {
    return this.records;
  }

  async parked(): Promise<readonly ParkedRow[]> {
    return [...this.parkedRows.values()];
  }

  async unpark(kind: KindId, key: ObjectKey): Promise<void> {
    this.parkedRows.delete(`${kind}/${key}`);
  }

  async close(): Promise<void> {}
}
