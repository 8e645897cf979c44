/** Wrong usage or configuration: exit code 2. The message names the key, the rule, the value found and a way out. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The database cannot be opened or used as asked; the message says what to do. Exit code 1. */
export class StorageError extends Error {
  override readonly name: string = 'StorageError';
  /** Whether waiting can help (disk full, locked); a foreign or newer database cannot be waited for. */
  readonly retryable: boolean;

  constructor(message: string, options: { readonly retryable: boolean; readonly cause?: unknown }) {
    super(message, { cause: options.cause });
    this.retryable = options.retryable;
  }
}

/**
 * Storage has seen a writer of a higher epoch, or another one of the same: nothing of this writer is taken any more, and nothing of the call was. Who leads
 * by a lease has lost it.
 */
export class EpochError extends StorageError {
  override readonly name = 'EpochError';
  /** The epoch that storage knows; a writer that is to be taken needs a higher one. */
  readonly newest: number;

  constructor(message: string, newest: number) {
    super(message, { retryable: false });
    this.newest = newest;
  }
}

/** Somebody else writes now, or may begin to: the process has to end. Exit code 3. */
export class LeadershipLostError extends Error {
  override readonly name = 'LeadershipLostError';
}

/** The API server answered, with a refusal. Connection failures are not ApiErrors: they keep their own class and `code`. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status, or the `code` of the Status in an ERROR event. */
  readonly status: number;
  /** `Status.reason`: `Expired`, `Forbidden`, … or `''`. */
  readonly reason: string;
  /** From Retry-After or `details.retryAfterSeconds`. */
  readonly retryAfterMs: number | null;
  /** The inconsistent continue token that a 410 of a later page carries (SV-S3). */
  readonly continueToken: string | null;
  /** `Status.details.causes[].reason`. */
  readonly causes: readonly string[];

  constructor(
    message: string,
    fields: {
      readonly status: number;
      readonly reason?: string;
      readonly retryAfterMs?: number | null;
      readonly continueToken?: string | null;
      readonly causes?: readonly string[];
    },
  ) {
    super(message);
    this.status = fields.status;
    this.reason = fields.reason ?? '';
    this.retryAfterMs = fields.retryAfterMs ?? null;
    this.continueToken = fields.continueToken ?? null;
    this.causes = fields.causes ?? [];
  }
}

/** `..."word": "secret"... is not valid JSON`: the engine quotes the text that it cannot parse. */
const QUOTED_TEXT = /(?:\.\.\.)?"[\s\S]*"(?:\.\.\.)?/;

/** The text of anything thrown, for a message; never a stack, and nothing of a text that could not be parsed. */
export function messageOf(cause: unknown): string {
  if (cause instanceof SyntaxError) return cause.message.replace(QUOTED_TEXT, '…');
  return cause instanceof Error ? cause.message : String(cause);
}
