import type { IncomingMessage } from 'node:http';
import { jsonPatch, mergePatch, PatchError, strategicMerge } from './merge.ts';
import type { ObjectTree } from './objects.ts';
import { badRequest, refusal, unsupportedMedia } from './status.ts';

/** A body larger than this is refused, as by the real server (3 MiB). */
const BODY_LIMIT_BYTES = 3 * 1024 * 1024;
const JSON_TYPES = new Set([
  '',
  'application/json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/json-patch+json',
  'application/apply-patch+yaml',
]);

/** Without its parameters; `''` when there is none. */
export function contentType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
}

/** The JSON of a request, undefined when it has none. Throws Refusal. */
export async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_LIMIT_BYTES)
      throw refusal({ code: 413, reason: 'RequestEntityTooLarge', message: 'Request entity too large: limit is 3145728', details: {} });
    chunks.push(chunk);
  }
  if (bytes === 0) return undefined;
  const type = contentType(request);
  if (!JSON_TYPES.has(type)) throw unsupportedMedia(type);
  try {
    return JSON.parse(Buffer.concat(chunks).toString()) as unknown;
  } catch {
    throw badRequest('the body of the request is not valid JSON');
  }
}

/** The body as an object of `kind`. Throws Refusal. */
export function objectOf(body: unknown, kind: string): ObjectTree {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw badRequest('the body of the request must be an object');
  const tree = body as ObjectTree;
  if (tree.kind !== undefined && tree.kind !== kind)
    throw badRequest(`${kind} in version "${tree.apiVersion ?? ''}" cannot be handled: the object is a ${tree.kind}`);
  return tree;
}

/** What a patch of this content type does to an object. Throws Refusal. */
export function patchOf(request: IncomingMessage, patch: unknown): (tree: ObjectTree) => ObjectTree {
  const type = contentType(request);
  switch (type) {
    case 'application/merge-patch+json':
      return (tree) => mergePatch(tree, patch) as ObjectTree;
    case 'application/strategic-merge-patch+json':
    case 'application/apply-patch+yaml':
      return (tree) => strategicMerge(tree, patch) as ObjectTree;
    case 'application/json-patch+json':
      return (tree) => {
        try {
          return jsonPatch(tree, patch) as ObjectTree;
        } catch (cause) {
          if (!(cause instanceof PatchError)) throw cause;
          throw refusal({
            code: 422,
            reason: 'Invalid',
            message: `the server rejected our request due to an error in our request: ${cause.message}`,
            details: {},
          });
        }
      };
    default:
      throw unsupportedMedia(type);
  }
}
