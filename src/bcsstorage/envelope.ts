/*
 * The answers of the storage service (specs/bcs-k8s-watch.md section 3.1): HTTP 200 and an envelope, also for errors. Clients look at `result`.
 */

/** What a request failed with: the code that clients know, and its text. */
export const FAILURES = {
  unmarshal: { code: 1405080, text: 'request data unmarshal failed.' },
  marshal: { code: 1405081, text: 'returned data marshal failed.' },
  put: { code: 1405082, text: 'put resource failed.' },
  get: { code: 1405083, text: 'get resource failed.' },
  delete: { code: 1405084, text: 'delete resource failed.' },
  list: { code: 1405085, text: 'list resource failed.' },
  base64: { code: 1405086, text: 'base64 decode failed.' },
  absent: { code: 1405087, text: 'resource does not exist.' },
  notReady: { code: 1405088, text: 'status not ready' },
} as const;

export type FailureKind = keyof typeof FAILURES;

/** A request that is answered with an envelope of failure. The message goes to the client: it names what is wrong, never the data. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  /** `query`: what the route itself fails with, for the query of any route may be wrong. */
  readonly kind: FailureKind | 'query';

  constructor(kind: FailureKind | 'query', message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Keys beside the four of the envelope: `total`, `pageSize`, `offset`, `stale`. */
export type EnvelopeExtra = Readonly<Record<string, number | boolean>>;

/** `data` is JSON text. */
export function success(data = '{}', extra: EnvelopeExtra = {}): string {
  return `{"result":true,"code":0,"message":"success","data":${data}${extraText(extra)}}`;
}

/** `message` begins with the program's name, as the old service's do; a list fails with an empty list. */
export function failure(kind: FailureKind, message: string, shape: 'object' | 'list' = 'object'): string {
  const { code, text } = FAILURES[kind];
  const full = JSON.stringify(`(kubefold storage): ${text}${message === '' ? '' : ` ${message}`}`);
  return `{"result":false,"code":${code},"message":${full},"data":${shape === 'list' ? '[]' : '{}'}}`;
}

function extraText(extra: EnvelopeExtra): string {
  return Object.entries(extra)
    .map(([name, value]) => `,${JSON.stringify(name)}:${value}`)
    .join('');
}
