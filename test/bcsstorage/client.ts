import { request } from 'node:http';
import { type BcsStorage, type BcsStorageOptions, startBcsStorage } from '../../src/bcsstorage/server.ts';
import type { WriteEntry } from '../../src/bcsstorage/journal.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** What the tests look at of any JSON answer. */
// biome-ignore lint/suspicious/noExplicitAny: a test reaches into JSON of every shape; what is not there fails the expectation.
export type Json = any;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Json;
}

export const CLUSTER = 'BCS-K8S-1';
const DYNAMIC = '/k8s/dynamic';

/** The service in memory on a manual clock, with short ways to ask it. */
export class TestService implements AsyncDisposable {
  readonly server: BcsStorage;
  readonly clock: ManualClock;
  readonly writes: WriteEntry[];

  constructor(server: BcsStorage, clock: ManualClock, writes: WriteEntry[]) {
    this.server = server;
    this.clock = clock;
    this.writes = writes;
  }

  get base(): string {
    return `${this.server.url}/bcsstorage/v1`;
  }

  async ask(method: string, path: string, body?: string | Buffer): Promise<Answer> {
    const response = await fetch(this.base + path, { method, ...(body === undefined ? {} : { body }) });
    const text = await response.text();
    const isJson = (response.headers.get('content-type') ?? '').startsWith('application/json');
    return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined };
  }

  get(path: string): Promise<Answer> {
    return this.ask('GET', path);
  }

  send(method: string, path: string, body: unknown): Promise<Answer> {
    return this.ask(method, path, JSON.stringify(body));
  }

  put(path: string, data: unknown): Promise<Answer> {
    return this.send('PUT', path, { data });
  }

  watch(path: string, body: string): Promise<TestWatch> {
    return openWatch(this.base + path, body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
  }
}

export async function testService(options: BcsStorageOptions = {}): Promise<TestService> {
  const clock = new ManualClock();
  const writes: WriteEntry[] = [];
  const server = await startBcsStorage({ clock, onWrite: (entry) => void writes.push(entry), ...options });
  return new TestService(server, clock, writes);
}

/** Paths of documents and lists. */
export const pod = (namespace: string, name: string): string => `${DYNAMIC}/namespace_resources/clusters/${CLUSTER}/namespaces/${namespace}/Pod/${name}`;
export const pods = (namespace: string): string => `${DYNAMIC}/namespace_resources/clusters/${CLUSTER}/namespaces/${namespace}/Pod`;
export const allPods = `${DYNAMIC}/all_resources/clusters/${CLUSTER}/Pod`;
export const node = (name: string): string => `${DYNAMIC}/cluster_resources/clusters/${CLUSTER}/Node/${name}`;
export const nodes = `${DYNAMIC}/cluster_resources/clusters/${CLUSTER}/Node`;

/** The data of an object. */
export function object(
  name: string,
  fields: { readonly uid?: string; readonly revision?: string; readonly labels?: Record<string, string>; readonly rest?: object } = {},
): Json {
  const { uid, revision, labels, rest = {} } = fields;
  return {
    metadata: {
      name,
      ...(uid === undefined ? {} : { uid }),
      ...(revision === undefined ? {} : { resourceVersion: revision }),
      ...(labels === undefined ? {} : { labels }),
    },
    ...rest,
  };
}

export const extra = (fields: object): string => encodeURIComponent(Buffer.from(JSON.stringify(fields)).toString('base64'));

/** A stream of JSON objects without separators. */
export class TestWatch {
  text = '';
  ended = false;
  readonly #wakes: (() => void)[] = [];
  readonly leave: () => void;

  constructor(leave: () => void) {
    this.leave = leave;
  }

  feed(text: string): void {
    this.text += text;
    for (const wake of this.#wakes.splice(0)) wake();
  }

  end(): void {
    this.ended = true;
    for (const wake of this.#wakes.splice(0)) wake();
  }

  /** The first so many objects; fails when the stream ends before. */
  async take(count: number): Promise<readonly Json[]> {
    while (objectsOf(this.text).length < count) {
      if (this.ended) throw new Error(`The watch ended where object ${count} was expected: ${this.text}`);
      await new Promise<void>((resolve) => void this.#wakes.push(resolve));
    }
    return objectsOf(this.text).slice(0, count);
  }

  /** Every object, once the stream has ended. */
  async whole(): Promise<readonly Json[]> {
    while (!this.ended) await new Promise<void>((resolve) => void this.#wakes.push(resolve));
    return objectsOf(this.text);
  }
}

function openWatch(url: string, body: string): Promise<TestWatch> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent: false }, (response) => {
      const watch = new TestWatch(() => response.destroy());
      response.setEncoding('utf8');
      response.on('data', (text: string) => watch.feed(text));
      response.on('close', () => watch.end());
      response.on('error', () => watch.end());
      resolve(watch);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Cuts a run of JSON objects at the brackets that close them; what is not whole yet is left out. */
function objectsOf(text: string): readonly Json[] {
  const found: Json[] = [];
  let depth = 0;
  let isInString = false;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (isInString) {
      if (char === '\\') at++;
      else if (char === '"') isInString = false;
    } else if (char === '"') isInString = true;
    else if (char === '{' && depth++ === 0) from = at;
    else if (char === '}' && --depth === 0) found.push(JSON.parse(text.slice(from, at + 1)));
  }
  return found;
}
