import type { Kind } from '../../model/kind.ts';
import type { ObjectKey } from '../../model/key.ts';
import type { LoadChange } from './load.ts';

/** An object of a load: its name, and which incarnation of that name it is. */
export interface Subject {
  readonly kind: Kind;
  readonly key: ObjectKey;
  /** Of its JSON. */
  readonly bytes: number;
  /** Which object of that name; the uid is made of it. */
  incarnation: number;
}

/** Numbers the changes of one load, as an etcd would. */
export class LoadWriter {
  #revision: number;

  constructor(firstRevision: number) {
    this.#revision = firstRevision;
  }

  put(subject: Subject, atMs: number, isBackground = false): LoadChange {
    const { kind, key, bytes } = subject;
    const change = { atMs, kind, key, uid: uidOf(subject), revision: String(this.#revision++), type: 'put', bytes } as const;
    return isBackground ? { ...change, isBackground } : change;
  }

  /** The next put of the same subject is of a new object by that name. */
  delete(subject: Subject, atMs: number): LoadChange {
    const { kind, key } = subject;
    const uid = uidOf(subject);
    subject.incarnation++;
    return { atMs, kind, key, uid, revision: String(this.#revision++), type: 'delete', bytes: 0 };
  }
}

function uidOf({ kind, key, incarnation }: Subject): string {
  return `${kind.resource}/${key}/${incarnation}`;
}
