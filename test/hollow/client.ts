import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { StringDecoder } from 'node:string_decoder';
import { ManualClock } from '../support/manual-clock.ts';
import { startHollow } from '../../src/hollow/server.ts';
import type { Hollow, HollowOptions } from '../../src/hollow/server.ts';

/** What the tests look at of any JSON answer. */
// biome-ignore lint/suspicious/noExplicitAny: a test reaches into JSON of every shape; what is not there fails the expectation.
export type Json = any;

export interface Answer {
  readonly code: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Json;
}

/** A hollow cluster on a manual clock, with short ways to ask it. */
export class TestCluster implements AsyncDisposable {
  readonly hollow: Hollow;
  readonly clock: ManualClock;

  constructor(hollow: Hollow, clock: ManualClock) {
    this.hollow = hollow;
    this.clock = clock;
  }

  async ask(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(this.hollow.url + path, init);
    const text = await response.text();
    const isJson = (response.headers.get('content-type') ?? '').startsWith('application/json');
    return { code: response.status, headers: response.headers, text, json: isJson && text !== '' ? JSON.parse(text) : undefined };
  }

  send(method: string, path: string, body: unknown, type = 'application/json'): Promise<Answer> {
    return this.ask(path, { method, body: JSON.stringify(body), headers: { 'content-type': type } });
  }

  watch(path: string, headers: Record<string, string> = {}): Promise<TestWatch> {
    return new Promise((resolve, reject) => {
      request(this.hollow.url + path, { agent: false, headers }, (response) => resolve(new TestWatch(response)))
        .on('error', reject)
        .end();
    });
  }

  config(name: string, data: Record<string, string> = {}, labels: Record<string, string> = {}): Json {
    return this.hollow.create('configmaps', { metadata: { name, namespace: 'default', labels }, data });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hollow.close();
  }
}

export async function testCluster(options: HollowOptions = {}): Promise<TestCluster> {
  const clock = new ManualClock();
  return new TestCluster(await startHollow({ clock, ...options }), clock);
}

/** Reads a watch line by line. */
export class TestWatch {
  readonly response: IncomingMessage;
  readonly chunks: Buffer[] = [];
  readonly #lines: string[] = [];
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  #end: 'clean' | 'cut' | null = null;
  #wake = (): void => {};

  constructor(response: IncomingMessage) {
    this.response = response;
    response.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      const parts = (this.#rest + this.#decoder.write(chunk)).split('\n');
      this.#rest = parts.pop() ?? '';
      this.#lines.push(...parts);
      this.#wake();
    });
    response.on('end', () => this.#over('clean'));
    response.on('error', () => this.#over('cut'));
    response.on('close', () => this.#over('cut'));
  }

  /** The next event; fails when the stream ends first. */
  async next(): Promise<Json> {
    while (this.#lines.length === 0) {
      if (this.#end !== null) throw new Error(`The watch ended (${this.#end}) where an event was expected; rest ${JSON.stringify(this.#rest)}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return JSON.parse(this.#lines.shift() ?? '');
  }

  async take(count: number): Promise<readonly Json[]> {
    const events: Json[] = [];
    while (events.length < count) events.push(await this.next());
    return events;
  }

  /** How the stream ends; fails when an event comes first. */
  async ended(): Promise<'clean' | 'cut'> {
    while (this.#end === null) await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#lines.length > 0) throw new Error(`An unexpected event before the end: ${this.#lines[0]}`);
    return this.#end;
  }

  #over(how: 'clean' | 'cut'): void {
    this.#end ??= how;
    this.#wake();
  }
}

/** `ADDED default/a 17`: an event in a line. */
export function brief(event: Json): string {
  const { name, namespace, resourceVersion } = event.object.metadata;
  return `${event.type} ${namespace === undefined ? '' : `${namespace}/`}${name ?? ''} ${resourceVersion}`;
}
