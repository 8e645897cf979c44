import { JsonError } from '../json/error.ts';
import { ApiError, messageOf } from '../model/errors.ts';

/**
 * Why a request or a stream came to nothing, in the words the machine decides by.
 * - `answer`: the server said no, by HTTP status or by an ERROR event; both shapes are one here (SV-S5).
 * - `network`: it could not be reached, or the connection broke.
 * - `malformed`: it answered, but not what the protocol says.
 * - `silent`: the watchdog gave up waiting for it (RF-S18).
 */
export type Failure =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly reason: string;
      readonly causes: readonly string[];
      readonly message: string;
      readonly retryAfterMs: number | null;
    }
  | { readonly kind: 'network'; readonly code: string; readonly message: string }
  | { readonly kind: 'malformed' | 'silent'; readonly message: string };

/** What was thrown by a request, classified. Everything that is neither an answer nor a malformed body is the network's. */
export function failureOf(cause: unknown): Failure {
  if (cause instanceof ApiError) {
    const { status, reason, causes, message, retryAfterMs } = cause;
    return { kind: 'answer', status, reason, causes, message, retryAfterMs };
  }
  if (cause instanceof JsonError) return { kind: 'malformed', message: cause.message };
  return { kind: 'network', code: codeOf(cause), message: messageOf(cause) };
}

/** Sockets' errors carry their `code` themselves or in their cause. */
function codeOf(cause: unknown): string {
  for (let at: unknown = cause, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    if ('code' in at && typeof at.code === 'string') return at.code;
  }
  return '';
}

/** The HTTP status, for the reflector's status; null when the server did not answer. */
export function httpStatusOf(failure: Failure): number | null {
  return failure.kind === 'answer' ? failure.status : null;
}

/** The revision or the continue token is older than what the server keeps; old servers say Gone (SV-S4). By code, never by text. */
export function isExpired(failure: Failure): boolean {
  return failure.kind === 'answer' && (failure.status === 410 || failure.reason === 'Expired' || failure.reason === 'Gone');
}

const TOO_LARGE_TEXT = /too large resource version/i;

/**
 * The asked revision lies in the server's future. Three generations say so differently (RF-S4): a typed cause; a 504
 * with an untyped cause text; a 504 with the text in its message.
 */
export function isTooLarge(failure: Failure): boolean {
  if (failure.kind !== 'answer') return false;
  if (failure.causes.includes('ResourceVersionTooLarge')) return true;
  if (failure.status !== 504 && failure.reason !== 'Timeout') return false;
  return TOO_LARGE_TEXT.test(failure.message) || failure.causes.some((cause) => TOO_LARGE_TEXT.test(cause));
}

/**
 * The API server was not there at all: no connection, no sign of life, or a gateway that says so in its place. Whatever else is wrong with one kind, another
 * kind's answer proves nothing about it; here it proves that all may ask again.
 */
export function isAway(failure: Failure): boolean {
  if (failure.kind === 'answer') return failure.status >= 502 && failure.status <= 504 && failure.retryAfterMs === null && !isTooLarge(failure);
  return failure.kind === 'network' || failure.kind === 'silent';
}

export function isThrottled(failure: Failure): boolean {
  return failure.kind === 'answer' && failure.status === 429;
}

/** Whether the same request may succeed later without anything else being changed. */
export function isTransient(failure: Failure): boolean {
  if (failure.kind === 'network' || failure.kind === 'silent') return true;
  return failure.kind === 'answer' && (failure.status === 429 || failure.status === 408 || failure.status >= 500);
}
