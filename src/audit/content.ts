import { hash } from 'node:crypto';
import type { KindPlan } from '../config/plan.ts';
import { ObjectScanner } from '../json/scanner.ts';
import { objectKey } from '../model/key.ts';
import { apiVersionOf } from '../model/kind.ts';
import type { RawObject } from '../model/raw-object.ts';
import type { StoredObject } from '../storage/storage.ts';
import { createTransform, type Transform } from '../transform/transform.ts';
import { annotateWorkload, type Workload } from '../transform/workload.ts';
import type { Seen } from './diff.ts';

/** 32 hexadecimal digits are the 16 bytes that an engine keeps as the hash of a body: two bodies of one object are never taken for equal. */
const HASH_DIGITS = 32;

/** In place of what a row says of its owners, and put into the object as well: the rest must be equal, byte by byte. What is true of owners the mirror knows. */
const ANY: Workload = { kind: '', name: '' };

/** A row, reduced. */
export interface SeenRow extends Seen {
  /** Why its own columns or its body cannot be right, whatever the cluster says; null when they agree. Then `content` is this text. */
  readonly damage: string | null;
}

/** Objects of one kind, from the cluster or the copy, each reduced to what is compared: the one way in which audit and verify do it. */
export class Reducer {
  /** See compare(). */
  readonly revisions: 'equal' | 'may lag';
  readonly #kind: string;
  readonly #apiVersion: string;
  readonly #transform: Transform | null;
  readonly #scanner: ObjectScanner;
  /** Of what is compared. */
  readonly #digest: (body: Uint8Array) => string;
  /** Of a body as it is. */
  readonly #whole: (body: Uint8Array) => string;
  #scratch = Buffer.alloc(64 * 1024);

  /** `reencodes` as the reader's. */
  constructor(plan: KindPlan, secretKey: Uint8Array, reencodes: boolean | undefined) {
    const whole = reencodes === true ? (body: Uint8Array): string => digestOf(canonical(body)) : digestOf;
    this.#whole = whole;
    this.#digest = plan.annotateWorkload ? (body) => whole(annotateWorkload(body, ANY)) : whole;
    this.#kind = plan.kind.kind;
    this.#apiVersion = apiVersionOf(plan.kind);
    this.#transform = createTransform(plan, { secretKey });
    this.#scanner = new ObjectScanner({ kind: this.#kind, apiVersion: this.#apiVersion });
    this.revisions = plan.ignoreChanges.length > 0 ? 'may lag' : 'equal';
  }

  /** What must be stored of a live object; null when a rule leaves it out. Throws SyntaxError when a rule must look into it and it is not JSON. */
  live(object: RawObject): Seen | null {
    return this.#reduce(object)?.seen ?? null;
  }

  /** `bytes`: the digest of what must be stored. */
  #reduce(object: RawObject): { readonly seen: Seen; readonly bytes: () => string } | null {
    const { uid, revision } = object;
    const transformed = this.#transform?.apply(object) ?? { keep: true as const, source: object, contentHash: null };
    if (!transformed.keep) return null;
    const { source, contentHash } = transformed;
    const digest = (): string => {
      if (this.#scratch.length < source.size) this.#scratch = Buffer.alloc(source.size * 2);
      source.copyTo(this.#scratch, 0);
      return this.#digest(this.#scratch.subarray(0, source.size));
    };
    if (contentHash !== null) return { seen: { uid, revision, content: contentHash }, bytes: digest };
    const content = digest();
    return { seen: { uid, revision, content }, bytes: () => content };
  }

  /**
   * A row. Its columns must agree with its own body, too: they are what readers select by. `expected` is what the cluster shows under the same key: when
   * the body is that object's, byte by byte, it need not be looked into.
   */
  row(row: StoredObject, expected: Seen | null): SeenRow {
    const { uid, revision } = row;
    const damaged = (damage: string): SeenRow => ({ uid, revision, content: damage, damage });
    let content: string;
    try {
      content = this.#digest(row.body);
    } catch {
      return damaged('the row holds no valid object');
    }
    if (row.hash !== undefined && row.hash !== (this.#whole === this.#digest ? content : this.#whole(row.body)))
      return damaged('the hash of the row is not that of its body');
    if (row.kind !== this.#kind || row.apiVersion !== this.#apiVersion) return damaged('the columns of the row and its body disagree');
    if (expected !== null && expected.content === content && expected.uid === uid && expected.revision === revision) {
      return { uid, revision, content, damage: null };
    }
    try {
      const object = this.#scan(row.body);
      if (object.uid !== uid || object.revision !== revision || objectKey(object.namespace, object.name) !== row.key)
        return damaged('the columns of the row and its body disagree');
      const reduced = this.#reduce(object);
      if (reduced === null) return damaged('the row holds an object that its rule leaves out');
      // Doing once more what a rule does changes nothing (WL-S6): a row that it does change is of another rule, and may show what this one hides.
      if (reduced.bytes() !== content) return damaged('the row is not in the form that its rule gives to objects');
      return { ...reduced.seen, damage: null };
    } catch {
      return damaged('the row holds no valid object');
    }
  }

  #scan(bytes: Uint8Array): RawObject {
    const end = this.#scanner.scan(bytes, 0, bytes.length);
    if (end === -1) throw new Error('the object ends too early');
    if (this.#scanner.problem !== null) throw this.#scanner.damage();
    return this.#scanner;
  }
}

/** The same text for the same JSON, however it is written. Throws SyntaxError. */
function canonical(body: Uint8Array): Buffer {
  const sorted = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sorted);
    if (typeof value !== 'object' || value === null) return value;
    const members = Object.entries(value).map(([name, member]): [string, unknown] => [name, sorted(member)]);
    return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  return Buffer.from(JSON.stringify(sorted(JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString()))));
}

function digestOf(body: Uint8Array): string {
  return hash('sha256', body, 'hex').slice(0, HASH_DIGITS);
}
