import type { Kind } from '../../model/kind.ts';
import { kindId } from '../../model/kind.ts';
import type { ObjectKey } from '../../model/key.ts';
import type { Storage, Write } from '../../storage/storage.ts';
import type { State } from '../books.ts';
import type { LoadChange } from '../load/load.ts';

/** How an object of any kind is called in the books. */
export function nameOf(kind: Kind, key: ObjectKey): string {
  return `${kindId(kind)} ${key}`;
}

export function keyOf(write: Write): ObjectKey {
  return write.type === 'put' ? write.meta.key : write.key;
}

/** The state that a write asks for. */
export function stateOf(write: Write): State | null {
  return write.type === 'put' ? { uid: write.meta.uid, revision: write.meta.revision } : null;
}

/** A place to write to, which tells its books of every write at the moment of its commit. */
export interface Target {
  /**
   * Writes as the product does, with every guard that it has, or plainly: then what comes last counts, unless the engine itself refuses that. One of both for a
   * run. What it throws is a bug.
   */
  storage(writer: 'product' | 'plain'): Promise<Storage>;
  /** Takes rows in before the run, at full speed. The books know of them already. */
  preload(rows: readonly LoadChange[]): Promise<void>;
  /** What is stored, as storage itself says. Every commit before it is in the books then. */
  rows(): Promise<ReadonlyMap<string, State>>;
  close(): Promise<void>;
}

/** What a storage has that nobody asks in a run. */
export const NOTHING_STORED = {
  open: (): Promise<void> => Promise.resolve(),
  async *index(): AsyncGenerator<never, void, undefined> {},
  kinds: (): Promise<readonly string[]> => Promise.resolve([]),
  scopes: (): Promise<readonly never[]> => Promise.resolve([]),
  parked: (): Promise<readonly never[]> => Promise.resolve([]),
  unpark: (): Promise<void> => Promise.resolve(),
  close: (): Promise<void> => Promise.resolve(),
};
