import type { IncomingMessage } from 'node:http';
import { RequestError, type FailureKind } from './envelope.ts';
import type { Json } from './json-value.ts';

/** A larger body is refused. The largest object of a cluster is 1.5 MB; three megabytes pass its API server. */
export const BODY_LIMIT_BYTES = 8 * 1024 * 1024;
/** So much more of a body that is too large is read and thrown away, so that the client gets to read the answer; then the connection is cut. */
const DRAIN_LIMIT_BYTES = 64 * 1024 * 1024;

/** One request, taken apart. */
export interface StorageRequest {
  readonly method: string;
  /** Of the path below `/bcsstorage/v1`, decoded, without empty ones. */
  readonly segments: readonly string[];
  readonly params: URLSearchParams;
  /** Null when it was larger than BODY_LIMIT_BYTES. */
  readonly body: Buffer | null;
}

/** How a route answers. */
export interface Route {
  /** What it fails with when nothing more exact is known. */
  readonly kind: FailureKind;
  /** What `data` is in a failure. */
  readonly shape: 'object' | 'list';
  /** The envelope as JSON text. Throws RequestError, or whatever the database says. */
  run(): Promise<string> | string;
}

/** A route that streams until the client leaves. */
export interface WatchRoute {
  readonly collection: 'dynamic' | 'event';
  readonly cluster: string;
  /** Of the documents; null for events. */
  readonly type: string | null;
}

/** What a path leads to; `method`: the path is known, the method is not. */
export type Routed = Route | WatchRoute | 'unknown' | 'method';

/** Null when the target cannot be read as a path. */
export function parseTarget(target: string): { readonly segments: readonly string[]; readonly params: URLSearchParams } | null {
  const cut = target.indexOf('?');
  const path = cut === -1 ? target : target.slice(0, cut);
  try {
    const segments = path.split('/').filter((segment) => segment !== '');
    return { segments: segments.map(decodeURIComponent), params: new URLSearchParams(cut === -1 ? '' : target.slice(cut + 1)) };
  } catch {
    return null;
  }
}

/** The whole body, or null when it is too large. Rejects when the client goes away. Listeners, not `for await`: that costs as much as the database. */
export function readBody(message: IncomingMessage): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    message.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= BODY_LIMIT_BYTES) chunks.push(chunk);
      else chunks.length = 0;
      if (bytes > DRAIN_LIMIT_BYTES) message.destroy(new Error('the body does not end'));
    });
    message.once('end', () => {
      if (bytes > BODY_LIMIT_BYTES) return resolve(null);
      const [only] = chunks;
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks));
    });
    message.once('error', reject);
    message.once('close', () => {
      if (!message.complete) reject(new Error('the client went away'));
    });
  });
}

/** The bytes of a body that must be small enough. Throws RequestError. */
export function bodyOf({ body }: StorageRequest): Buffer {
  if (body === null) throw new RequestError('unmarshal', `The body is larger than ${BODY_LIMIT_BYTES} bytes.`);
  return body;
}

/** The body as JSON; undefined when there is none. Throws RequestError. */
export function jsonOf(request: StorageRequest): Json {
  const body = bodyOf(request);
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(body.toString());
  } catch {
    // The parser's own message quotes the body.
    throw new RequestError('unmarshal', 'The body is not valid JSON.');
  }
}
