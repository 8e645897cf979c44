import type { IncomingMessage } from 'node:http';
import * as v from 'valibot';
import type { Control, ParkedChoice, Refused } from '../model/control.ts';
import type { ObjectKey } from '../model/key.ts';

/** Every request that changes something carries it, with any value. A web page cannot add it to a request to another site without being asked. */
export const CONTROL_HEADER = 'x-kubefold-control';
/** What is decided fits into a line; whatever is longer is an attack or a mistake. */
const MAX_BODY_BYTES = 16 * 1024;
/** Keys of each kind that are shown unless `?keys=` asks for more. */
const SHOWN_KEYS = 10;

export interface ControlAnswer {
  readonly code: number;
  /** Sent as JSON. */
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
}

type Handler = (control: Control, input: unknown) => Promise<object | Refused>;

const named = (name: string) => v.pipe(v.string(`${name} must be a text`), v.minLength(1, `${name} must not be empty`));
const heldToken = v.strictObject(
  { kind: named('kind'), token: named('token'), count: v.pipe(v.number('count must be a number'), v.integer('count must be a whole number')) },
  'the body must be {"kind": KIND, "token": TOKEN, "count": COUNT}, as GET /control/held shows them',
);
const parkedChoice = v.union(
  [v.strictObject({ all: v.literal(true) }), v.strictObject({ kind: named('kind'), key: named('key') })],
  'the body must be {"kind": KIND, "key": "NAMESPACE/NAME"} or {"all": true}',
);

const POSTS: Readonly<Record<string, Handler>> = {
  '/control/held/confirm': async (control, input) => control.confirm(v.parse(heldToken, input)),
  '/control/parked/retry': async (control, input) => control.retry(choiceOf(input)),
  '/control/parked/drop': async (control, input) => control.drop(choiceOf(input)),
};
const GETS: Readonly<Record<string, (control: Control, query: URLSearchParams) => Promise<object>>> = {
  '/control/held': async (control, query) => ({ cluster: control.clusterName, held: control.held(keysAsked(query)) }),
  '/control/parked': async (control) => ({ cluster: control.clusterName, parked: await control.parked() }),
};

/** Whether the path is one of these routes; whoever may not read /metrics may not come here either. */
export function isControlPath(path: string): boolean {
  return path === '/control' || path.startsWith('/control/');
}

/** What a person decides over HTTP: `kubefold confirm` and `kubefold parked` speak it. */
export async function answerControl(control: Control, request: IncomingMessage, url: URL): Promise<ControlAnswer> {
  const { pathname } = url;
  const post = Object.hasOwn(POSTS, pathname) ? POSTS[pathname] : undefined;
  const get = Object.hasOwn(GETS, pathname) ? GETS[pathname] : undefined;
  if (post === undefined && get === undefined)
    return failed(404, `there is no ${pathname}; GET ${Object.keys(GETS).join(', ')} and POST ${Object.keys(POSTS).join(', ')}`);
  if (get !== undefined) {
    if (request.method !== 'GET' && request.method !== 'HEAD') return wrongMethod('GET, HEAD');
    return { code: 200, body: await get(control, url.searchParams) };
  }
  if (post === undefined || request.method !== 'POST') return wrongMethod('POST');
  const foreign = whyForeign(request);
  if (foreign !== null) return foreign;
  const text = await bodyOf(request);
  // The rest of the body is not read, so the connection is of no more use.
  if (text === null) return { ...failed(413, `the body must not be longer than ${MAX_BODY_BYTES} bytes`), headers: { Connection: 'close' } };
  try {
    const answer = await post(control, JSON.parse(text));
    return 'refused' in answer ? failed(409, answer.refused) : { code: 200, body: answer };
  } catch (cause) {
    if (cause instanceof SyntaxError) return failed(400, 'the body is no JSON');
    if (cause instanceof v.ValiError) return failed(400, cause.message);
    throw cause;
  }
}

/** A command of ours is no web page: what a browser sends for one is refused, also from a page that a foreign name leads to this address. */
function whyForeign({ headers }: IncomingMessage): ControlAnswer | null {
  const site = headers['sec-fetch-site'];
  if (headers.origin !== undefined || (site !== undefined && site !== 'none'))
    return failed(403, 'requests of web pages are refused here: use kubefold confirm or kubefold parked');
  if (headers[CONTROL_HEADER] === undefined) return failed(403, `the header ${CONTROL_HEADER} is missing, with any value`);
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  return type === 'application/json' ? null : failed(415, 'the body must be sent as application/json');
}

/** Null when it is too long. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return null;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_BODY_BYTES) return null;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function choiceOf(input: unknown): ParkedChoice {
  const choice = v.parse(parkedChoice, input);
  return 'all' in choice ? choice : { kind: choice.kind, key: choice.key as ObjectKey };
}

/** `?keys=all`, or a number. */
function keysAsked(query: URLSearchParams): number {
  const asked = query.get('keys');
  if (asked === 'all') return Number.POSITIVE_INFINITY;
  return asked !== null && /^[0-9]{1,9}$/.test(asked) ? Number(asked) : SHOWN_KEYS;
}

function wrongMethod(allowed: string): ControlAnswer {
  return { ...failed(405, `only ${allowed} is answered here`), headers: { Allow: allowed } };
}

function failed(code: number, error: string): ControlAnswer {
  return { code, body: { error } };
}
