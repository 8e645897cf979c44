import { withoutCredentials } from '../kit/foreign-text.ts';
import { ApiError } from '../model/errors.ts';

/** A refusal, read: the error, and the object a NotFound speaks of (null when it speaks of a resource or a path). */
export interface Refusal {
  readonly error: ApiError;
  readonly missingObject: string | null;
}

/** Error bodies are sentences; whatever is longer is a page of some proxy and not worth more. */
const MAX_TEXT_LENGTH = 300;

/**
 * Reads a response that is not 2xx. The body is a Status, or plain text (429 of priority and fairness, 404 of an unknown
 * group, proxies), so what decides is the HTTP status and the Retry-After header, and the Status only adds to them.
 */
export function readRefusal(response: {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: string;
  /** `GET /api/v1/pods`: no query, which may hold a continue token. */
  readonly request: string;
  readonly nowWallMs: number;
}): Refusal {
  const { status, body, request } = response;
  const document = readStatus(body);
  const details = record(document?.['details']);
  const said = withoutCredentials(text(document?.['message']) || (document === null ? plainText(body) : ''));
  const seconds = details['retryAfterSeconds'];
  const fromBody = typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : null;
  const causes = Array.isArray(details['causes']) ? details['causes'].map((cause) => text(record(cause)['reason'])).filter((reason) => reason !== '') : [];
  const reason = text(document?.['reason']);
  return {
    error: new ApiError(`${request} was refused with ${status}${said === '' ? '' : `: ${said}`}`, {
      status,
      reason,
      retryAfterMs: readRetryAfter(response.retryAfter, response.nowWallMs) ?? fromBody,
      continueToken: text(record(document?.['metadata'])['continue']) || null,
      causes,
    }),
    missingObject: status === 404 && reason === 'NotFound' ? text(details['name']) || null : null,
  };
}

/** Seconds or an HTTP date, as milliseconds from now; null when absent or neither. */
export function readRetryAfter(header: string | undefined, nowWallMs: number): number | null {
  const value = header?.trim() ?? '';
  if (value === '') return null;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowWallMs);
}

function readStatus(body: string): Record<string, unknown> | null {
  if (!body.startsWith('{')) return null;
  try {
    return record(JSON.parse(body));
  } catch {
    return null;
  }
}

function plainText(body: string): string {
  const line = body.replace(/\s+/g, ' ').trim();
  if (/^<(!doctype|html)/i.test(line)) return 'a web page came back, so this is not an API server or something stands in front of it';
  return line.length > MAX_TEXT_LENGTH ? `${line.slice(0, MAX_TEXT_LENGTH)}…` : line;
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
