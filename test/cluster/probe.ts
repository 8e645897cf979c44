import type { Cluster, ListQuery, WatchQuery } from '../../src/cluster/cluster.ts';
import { systemClock } from '../../src/kit/clock.ts';
import type { Kind, Scope } from '../../src/model/kind.ts';

/** An object as far as the contract looks into it. */
export interface SeenObject {
  readonly kind?: string;
  readonly apiVersion?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly data?: Readonly<Record<string, string>>;
  /** Of a Status. */
  readonly code?: number;
  readonly reason?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string }[] };
}

export interface SeenList {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string; readonly remainingItemCount?: number };
  readonly items: readonly SeenObject[];
}

export interface SeenEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: SeenObject;
  /** The line as it came. */
  readonly line: string;
}

export interface ListAnswer {
  readonly list: SeenList;
  readonly text: string;
  readonly chunks: number;
}

/** How long an answer that must come may take: a loaded machine is slow, and a test that hangs tells nothing. */
const BOUND_MS = 20_000;

export const never = (): AbortSignal => new AbortController().signal;

/** One list, read to its end. */
export async function readList(cluster: Cluster, kind: Kind, scope: Scope, query: ListQuery = {}): Promise<ListAnswer> {
  const parts: Buffer[] = [];
  await cluster.list(kind, scope, query, (chunk) => void parts.push(Buffer.from(chunk)), never());
  const text = Buffer.concat(parts).toString('utf8');
  return { list: JSON.parse(text) as SeenList, text, chunks: parts.length };
}

/** A watch that remembers what it saw. */
export class WatchProbe implements AsyncDisposable {
  readonly #controller = new AbortController();
  readonly #events: SeenEvent[] = [];
  readonly #lookers = new Set<() => void>();
  #text = '';
  #opens = 0;
  #end: 'clean' | Error | undefined;
  /** Settles when the watch is over; never rejects. */
  readonly over: Promise<void>;

  constructor(
    cluster: Cluster,
    parts: { readonly kind: Kind; readonly scope: Scope; readonly query: Partial<WatchQuery> & Pick<WatchQuery, 'resourceVersion'> },
  ) {
    const query: WatchQuery = { timeoutSeconds: 60, ...parts.query };
    const opened = (): void => {
      this.#opens += 1;
      this.#look();
    };
    this.over = cluster
      .watch(parts.kind, parts.scope, query, (chunk) => this.#take(chunk), opened, this.#controller.signal)
      .then(
        () => {
          this.#end = 'clean';
        },
        (cause: unknown) => {
          this.#end = cause instanceof Error ? cause : new Error(String(cause));
        },
      )
      .finally(() => this.#look());
  }

  get events(): readonly SeenEvent[] {
    return this.#events;
  }

  /** `type name` of every event but bookmarks, in order. */
  get story(): readonly string[] {
    return this.#events.filter((event) => event.type !== 'BOOKMARK').map((event) => `${event.type} ${event.object.metadata.name}`);
  }

  get opens(): number {
    return this.#opens;
  }

  /** How it ended: cleanly, or by what error; undefined while it is open. */
  get end(): 'clean' | Error | undefined {
    return this.#end;
  }

  /** Resolves when the server has accepted the watch. */
  async opened(): Promise<this> {
    await this.#wait('is accepted', () => (this.#opens > 0 ? true : undefined));
    return this;
  }

  /** The first event, seen already or still to come, that fits. */
  event(what: string, fits: (event: SeenEvent) => boolean, withinMs = BOUND_MS): Promise<SeenEvent> {
    return this.#wait(`shows ${what}`, () => this.#events.find(fits), withinMs);
  }

  async ended(withinMs = BOUND_MS): Promise<'clean' | Error> {
    return this.#wait('ends', () => this.#end, withinMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort(new Error('the test is over'));
    await this.over;
  }

  #take(chunk: Uint8Array): void {
    this.#text += Buffer.from(chunk).toString('latin1');
    const lines = this.#text.split('\n');
    this.#text = lines.pop() ?? '';
    for (const bytes of lines) {
      const line = Buffer.from(bytes, 'latin1').toString('utf8');
      this.#events.push({ ...(JSON.parse(line) as Omit<SeenEvent, 'line'>), line });
    }
    this.#look();
  }

  #look(): void {
    for (const look of this.#lookers) look();
  }

  #wait<T>(what: string, find: () => T | undefined, withinMs = BOUND_MS): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        this.#lookers.delete(look);
        cancel();
        act();
      };
      const fail = (why: string): void =>
        settle(() => reject(new Error(`The test waited until the watch ${what}, but ${why}. It saw: ${this.story.join(', ') || 'nothing'}`)));
      const look = (): void => {
        const found = find();
        if (found !== undefined) settle(() => resolve(found));
        else if (this.#end !== undefined) fail(this.#end === 'clean' ? 'it ended cleanly' : `it failed: ${this.#end.message}`);
      };
      const cancel = systemClock.after(withinMs, () => fail(`${withinMs} ms passed`));
      this.#lookers.add(look);
      look();
    });
  }
}
