/** A Kubernetes Status (SV-S4), as far as somebody acts on it. Absent members are 0, `''`, null or empty. */
export interface ApiStatus {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly retryAfterSeconds: number | null;
  /** The reason of each of `details.causes`; the message of a cause that names no reason (servers before 1.18.6, RF-S4). */
  readonly causes: readonly string[];
  /** `metadata.continue` of a 410: the token to go on inconsistently (SV-S3). */
  readonly continueToken: string | null;
}

/** Reads a parsed Status, from the body of a refusal or from an ERROR event. Members of another type count as absent: an error must not hide an error. */
export function readStatus(value: unknown): ApiStatus {
  const status = membersOf(value);
  const details = membersOf(status.details);
  const { code } = status;
  const { retryAfterSeconds } = details;
  const causes = Array.isArray(details.causes) ? (details.causes as readonly unknown[]).map(membersOf) : [];
  return {
    code: typeof code === 'number' ? code : 0,
    reason: textOf(status.reason),
    message: textOf(status.message),
    retryAfterSeconds: typeof retryAfterSeconds === 'number' && retryAfterSeconds > 0 ? retryAfterSeconds : null,
    causes: causes.map((cause) => textOf(cause.reason) || textOf(cause.message)).filter((text) => text !== ''),
    continueToken: textOf(membersOf(status.metadata).continue) || null,
  };
}

/** The members of a parsed JSON object; none for anything else. */
export function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : {};
}

/** `''` for anything but a string. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
