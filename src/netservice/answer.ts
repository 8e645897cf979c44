import { jsonProblem } from '../json/check.ts';
import { Words } from '../json/text.ts';
import { members, stringOf } from '../storage/bcs/spans.ts';

/** What is asked of a NetService, and the type of document that its answer becomes (specs/bcs-k8s-watch.md section 2.7). */
export interface PoolQuery {
  readonly document: 'IPPoolStatic' | 'IPPoolStaticDetail';
  /** What stands behind the path. */
  readonly search: '' | '?info=detail';
  /** The type that the answer must have. */
  readonly type: number;
  /** The first byte of its data, and what that means. */
  readonly shape: { readonly first: string; readonly name: string };
  /** A cluster without pools is told as null by the detailed query. */
  readonly mayBeNull: boolean;
}

export const POOL_QUERIES: readonly PoolQuery[] = [
  { document: 'IPPoolStatic', search: '', type: 9, shape: { first: '{', name: 'an object' }, mayBeNull: false },
  { document: 'IPPoolStaticDetail', search: '?info=detail', type: 5, shape: { first: '[', name: 'a list' }, mayBeNull: true },
];

export function poolPath(cluster: string, { search }: PoolQuery): string {
  return `/v1/pool/${encodeURIComponent(cluster)}${search}`;
}

const ENVELOPE = new Words('type', 'code', 'message', 'data');
/** Messages of the service may quote what it likes. */
const LONGEST_MESSAGE = 300;

/** The bytes of `data`, as they are; or what is wrong with the answer, as a phrase after the address of the server. */
export function readAnswer(query: PoolQuery, status: number, body: Buffer): { readonly data: Buffer } | { readonly problem: string } {
  if (status < 200 || status > 299) return { problem: `answered HTTP ${status}` };
  const notJson = jsonProblem(body);
  if (notJson !== null) return { problem: `answered ${body.length} bytes that are not what a NetService says: ${notJson}` };
  const [typeText, codeText, message, data] = members(body, ENVELOPE) ?? [];
  const code = numberOf(codeText);
  if (code === null) return { problem: 'answered JSON without a number "code": is this the address of a NetService?' };
  if (code !== 0) return { problem: `answered code ${code}: ${(stringOf(message) ?? '').slice(0, LONGEST_MESSAGE)}` };
  const type = numberOf(typeText);
  if (type !== query.type)
    return {
      problem: `answered type ${type ?? 'none'} where ${query.type} was asked for, so this is no ${query.document}: is this the address of a NetService?`,
    };
  if (data === undefined) return { problem: 'answered without "data"' };
  const isRight = data.toString('latin1', 0, 1) === query.shape.first || (query.mayBeNull && data.toString() === 'null');
  return isRight ? { data } : { problem: `answered with "data" that is not ${query.shape.name}` };
}

/** Null for anything but a JSON number. */
function numberOf(value: Buffer | undefined): number | null {
  const text = value?.toString() ?? '';
  return /^-?\d/.test(text) ? Number(text) : null;
}
