import { Words } from '../../json/text.ts';
import { withoutQuotes } from '../../kit/foreign-text.ts';
import { members, stringOf } from './spans.ts';

/** A whole answer, as it came over HTTP. */
export interface Reply {
  readonly status: number;
  readonly body: Buffer;
}

/**
 * What an answer says.
 * - `done`: the service did it. `data` is JSON; `isStale`: it kept what it has, which is newer (a service that knows preconditions says so).
 * - `absent`: there is no such document.
 * - `refused`: it will never take this body: the object is to be parked.
 * - `failed`: it may work later.
 */
export type Verdict =
  | { readonly is: 'done'; readonly data: Buffer; readonly isStale: boolean }
  | { readonly is: 'absent' }
  | { readonly is: 'refused'; readonly error: string }
  | { readonly is: 'failed'; readonly error: string; readonly effect: Effect; readonly late?: LateVerdict | undefined };

/** What may still be heard of a request that was not answered in time; null: that it was cut. */
export interface LateVerdict {
  readonly verdict: Promise<Verdict | null>;
  cut(): void;
}

/** What a request that failed may have done: surely nothing; perhaps what it was to do; or that, and perhaps only later, for nobody has answered it. */
export type Effect = 'none' | 'unsure' | 'open';

const ENVELOPE = new Words('result', 'code', 'message', 'data', 'stale');
const NO_DATA = Buffer.from('{}');

const CODE_UNMARSHAL = 1405080;
const CODE_ABSENT = 1405087;
/** How databases and proxies say that a document is larger than they take. */
const TOO_LARGE = /too large|larger than|exceeds (?:the )?max|BSONObjectTooLarge/i;
/** Messages of the service may quote what it was sent; that is taken out of them. */
const LONGEST_MESSAGE = 300;

/**
 * Success is `result: true` in the JSON, whatever the status; only beside a 5xx that is doubtful, for somebody on the way has answered differently.
 * `sent` is the body of the request.
 */
export function judge({ status, body }: Reply, sent?: Buffer): Verdict {
  if (status === 413) return { is: 'refused', error: 'the service answered HTTP 413: the object is too large for it, or for a proxy before it' };
  const found = members(body, ENVELOPE);
  if (found === null) return { is: 'failed', error: notAnEnvelope(status, body.length), effect: effectOf(status) };
  const [result, codeText, messageText, data, stale] = found;
  if (result?.toString() === 'true') {
    if (status >= 500)
      return { is: 'failed', error: `the service answered "result": true with HTTP ${status}, which is not believed: one of both is wrong`, effect: 'unsure' };
    return { is: 'done', data: data ?? NO_DATA, isStale: stale?.toString() === 'true' };
  }
  const code = Number(codeText?.toString());
  const message = withoutQuotes((stringOf(messageText) ?? '').slice(0, LONGEST_MESSAGE), sent);
  if (result?.toString() !== 'false')
    return { is: 'failed', error: `the answer (HTTP ${status}) is JSON without "result": is this the address of a bcs-storage?`, effect: effectOf(status) };
  if (code === CODE_ABSENT) return { is: 'absent' };
  const error = `the service answered HTTP ${status}, code ${Number.isNaN(code) ? 'unknown' : code}: ${message}`;
  if (code === CODE_UNMARSHAL || TOO_LARGE.test(message)) return { is: 'refused', error };
  return { is: 'failed', error, effect: status === 429 ? 'none' : 'unsure' };
}

/** How long an answer asks to be left alone, in milliseconds; null when it does not. A number of seconds, or a date. */
export function retryAfterMs(status: number, header: string | undefined, wallMs: number): number | null {
  if ((status !== 429 && status !== 503) || header === undefined) return null;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - wallMs;
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}

/** What a refusal before the service says: it did not get there. */
function effectOf(status: number): Effect {
  return status >= 400 && status < 500 && status !== 408 ? 'none' : 'unsure';
}

function notAnEnvelope(status: number, bytes: number): string {
  if (status === 401 || status === 403) return `the service answered HTTP ${status}: it wants a token or a client certificate (storage.tokenFile, storage.tls)`;
  if (status === 404 || status === 405) return `the service answered HTTP ${status}: it has no such route, so this may not be the address of a bcs-storage`;
  if (status === 429 || status === 503) return `the service answered HTTP ${status}: it takes no more requests just now`;
  return `the service answered HTTP ${status} with ${bytes} bytes that are not JSON: is this the address of a bcs-storage, or of a proxy before it?`;
}
