import { closeSync, openSync, writeSync } from 'node:fs';
import { messageOf, UsageError } from '../model/errors.ts';

/** What became of a write that was accepted. */
export type WriteOutcome =
  | 'created'
  | 'updated'
  /** A PUT onto a deleted document. */
  | 'revived'
  /** Refused by the revision precondition: the stored document is newer. */
  | 'stale'
  | 'deleted'
  /** A DELETE that found nothing. */
  | 'absent'
  /** An event that is stored already. */
  | 'duplicate'
  /** Everything of a cluster, by `DELETE /clusters/{clusterId}/data`; the key is `clusterId/`. */
  | 'wiped';

/** One accepted write, in the order of commits. */
export interface WriteEntry {
  /** Unix milliseconds. */
  readonly time: number;
  readonly method: 'PUT' | 'DELETE';
  /** `clusterId/namespace/resourceType/resourceName`, with an empty namespace for a cluster-scoped document; of events `clusterId/events/name`. */
  readonly key: string;
  /** Of the body of a PUT; of the document that a DELETE deleted. */
  readonly uid: string | null;
  readonly resourceVersion: string | null;
  readonly outcome: WriteOutcome;
}

/** The file to which every accepted write is added, one JSON line each, before its client hears of it. */
export class Journal {
  readonly #file: number;

  /** Throws UsageError when the file cannot be written. */
  constructor(path: string) {
    try {
      this.#file = openSync(path, 'a');
    } catch (cause) {
      throw new UsageError(`The journal ${path} cannot be written: ${messageOf(cause)}. Name a file in a folder that exists.`);
    }
  }

  append(entries: readonly WriteEntry[]): void {
    writeSync(this.#file, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  }

  close(): void {
    closeSync(this.#file);
  }
}
