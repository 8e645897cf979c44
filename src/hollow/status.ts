import type { Kind } from '../model/kind.ts';

/** The JSON of a refusal, keys in the order of the real server (read-contract section 10). */
export interface StatusBody {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: { readonly continue?: string };
  readonly status: 'Failure' | 'Success';
  readonly message?: string;
  readonly reason?: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly code?: number;
}

type NamedKind = Pick<Kind, 'group' | 'resource'>;

/** Thrown by a handler to answer with a Status (or with plain text, as the front of the real server does). */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: number;
  readonly body: StatusBody | string;
  readonly retryAfterSeconds: number | null;

  constructor(code: number, body: StatusBody | string, retryAfterSeconds: number | null = null) {
    super(typeof body === 'string' ? body : (body.message ?? ''));
    this.code = code;
    this.body = body;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

interface Failure {
  readonly code: number;
  readonly reason?: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly continueToken?: string;
  readonly retryAfterSeconds?: number;
}

export function statusBody({ code, reason, message, details, continueToken }: Failure): StatusBody {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: continueToken === undefined ? {} : { continue: continueToken },
    status: 'Failure',
    message,
    ...(reason === undefined ? {} : { reason }),
    ...(details === undefined ? {} : { details }),
    code,
  };
}

export function refusal(failure: Failure): Refusal {
  return new Refusal(failure.code, statusBody(failure), failure.retryAfterSeconds ?? null);
}

/** `pods`, `widgets.demo.example.com`: how messages name a kind. */
function qualified({ group, resource }: NamedKind): string {
  return group === '' ? resource : `${resource}.${group}`;
}

function objectDetails({ group, resource }: NamedKind, name: string): Readonly<Record<string, unknown>> {
  return { name, ...(group === '' ? {} : { group }), kind: resource };
}

export const badRequest = (message: string): Refusal => refusal({ code: 400, reason: 'BadRequest', message });

export const unauthorized = (): Refusal => refusal({ code: 401, reason: 'Unauthorized', message: 'Unauthorized' });

export const notFound = (kind: NamedKind, name: string): Refusal =>
  refusal({ code: 404, reason: 'NotFound', message: `${qualified(kind)} "${name}" not found`, details: objectDetails(kind, name) });

/** A resource that its group does not have. */
export const unknownResource = (): Refusal =>
  refusal({ code: 404, reason: 'NotFound', message: 'the server could not find the requested resource', details: {} });

/** An unknown path: not a Status. */
export const pageNotFound = (): Refusal => new Refusal(404, '404 page not found\n');

export const alreadyExists = (kind: NamedKind, name: string): Refusal =>
  refusal({ code: 409, reason: 'AlreadyExists', message: `${qualified(kind)} "${name}" already exists`, details: objectDetails(kind, name) });

export const conflict = (kind: NamedKind, name: string): Refusal =>
  refusal({
    code: 409,
    reason: 'Conflict',
    message: `Operation cannot be fulfilled on ${qualified(kind)} "${name}": the object has been modified; please apply your changes to the latest version and try again`,
    details: objectDetails(kind, name),
  });

export const notAllowed = (): Refusal =>
  refusal({ code: 405, reason: 'MethodNotAllowed', message: 'the server does not allow this method on the requested resource', details: {} });

export const notAcceptable = (): Refusal =>
  refusal({
    code: 406,
    reason: 'NotAcceptable',
    message: 'only the following media types are accepted: application/json, application/json;stream=watch',
    details: {},
  });

export const unsupportedMedia = (type: string): Refusal =>
  refusal({
    code: 415,
    reason: 'UnsupportedMediaType',
    message: `the body of the request was in an unknown format - accepted media types include: application/json (found ${type})`,
    details: {},
  });

export const EXPIRED_LIST = 'The resourceVersion for the provided list is too old.';
export const EXPIRED_CONTINUE =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';

export function expired(message: string, continueToken?: string): Refusal {
  return refusal({ code: 410, reason: 'Expired', message, ...(continueToken === undefined ? {} : { continueToken }) });
}

/** The 410 of a watch; `oldest` is the last revision that can still be resumed from (WC-S3). */
export const tooOld = (asked: number, oldest: number): Refusal => expired(`too old resource version: ${asked} (${oldest})`);

export const tooLarge = (asked: number, current: number): Refusal =>
  refusal({
    code: 504,
    reason: 'Timeout',
    message: `Timeout: Too large resource version: ${asked}, current: ${current}`,
    details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }], retryAfterSeconds: 1 },
    retryAfterSeconds: 1,
  });

export interface Attempt {
  readonly user: string;
  readonly verb: string;
  readonly kind: NamedKind;
  readonly namespace: string;
  readonly name?: string | undefined;
}

export function forbidden({ user, verb, kind, namespace, name }: Attempt): Refusal {
  const { group, resource } = kind;
  const what = `${qualified(kind)}${name === undefined ? '' : ` "${name}"`}`;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  return refusal({
    code: 403,
    reason: 'Forbidden',
    message: `${what} is forbidden: User "${user}" cannot ${verb} resource "${resource}" in API group "${group}" ${where}`,
    details: { ...(name === undefined ? {} : { name }), ...(group === '' ? {} : { group }), kind: resource },
  });
}

export interface FieldError {
  readonly field: string;
  readonly reason: 'FieldValueForbidden' | 'FieldValueNotSupported' | 'FieldValueRequired' | 'FieldValueInvalid';
  readonly message: string;
}

export function invalid(kind: { readonly group: string; readonly kind: string }, name: string, errors: readonly FieldError[]): Refusal {
  const texts = errors.map((error) => `${error.field}: ${error.message}`);
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  return refusal({
    code: 422,
    reason: 'Invalid',
    message: `${kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`} "${name}" is invalid: ${list}`,
    details: {
      ...(name === '' ? {} : { name }),
      ...(kind.group === '' ? {} : { group: kind.group }),
      kind: kind.kind,
      causes: errors.map(({ reason, message, field }) => ({ reason, message, field })),
    },
  });
}
