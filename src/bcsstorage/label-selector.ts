import type { Condition } from './condition.ts';
import { RequestError } from './envelope.ts';
import { type Path, parsePath } from './paths.ts';

/*
 * The label selector of the storage routes: a comma list of `k=v`, `k`, `k+in+(a,b)`, `k+notin+(a,b)`, `k+=+v`, `k+!=+v`. The `+` is a plus sign on
 * the wire (`%2B` in a query); a blank, which an unescaped `+` becomes on its way, and the spellings of Kubernetes (`k!=v`, `k==v`, `!k`) mean the same.
 * The old service stopped at the first term that it could not read, and answered as if the rest were not there; here that is an error.
 */

const LABELS = parsePath('data.metadata.labels');

/** `=`, `==`, `!=`, and a word between signs that part words. */
const TERM = /^([^\s+=!(),]+)(?:[\s+]*(==?|!=)[\s+]*([^\s+=!(),]*)|[\s+]+(in|notin)[\s+]*\(([^()]*)\))?$/;
const ABSENT = /^!([^\s+=!(),]+)$/;

/** Throws RequestError. */
export function parseLabelSelector(text: string): readonly Condition[] {
  return terms(text).map(condition);
}

/** A comma inside parentheses parts values, not terms. */
function terms(text: string): readonly string[] {
  const found: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at <= text.length; at++) {
    const char = text[at];
    if (char === '(') depth++;
    else if (char === ')') depth--;
    else if (at === text.length || (char === ',' && depth === 0)) {
      found.push(text.slice(from, at).replace(/^[\s+]+|[\s+]+$/g, ''));
      from = at + 1;
    }
  }
  // Nothing at all, and a comma at the end, ask for nothing.
  return found.filter((term) => term !== '');
}

function condition(term: string): Condition {
  const absent = ABSENT.exec(term);
  if (absent !== null) return { op: 'exists', path: labelPath(absent[1] ?? ''), wanted: false };
  const found = TERM.exec(term);
  if (found === null)
    throw new RequestError(
      'query',
      `labelSelector: ${JSON.stringify(term)} is none of k, k=v, k+in+(a,b), k+notin+(a,b), k+=+v, k+!=+v ("+" is %2B in a query).`,
    );
  const [, key = '', sign, value = '', word, list = ''] = found;
  const path = labelPath(key);
  if (sign !== undefined) return sign === '!=' ? { op: 'ne', path, value } : { op: 'eq', path, value };
  if (word === undefined) return { op: 'exists', path, wanted: true };
  const values = list.split(',').map((one) => one.replace(/^[\s+]+|[\s+]+$/g, ''));
  if (values.every((one) => one === '')) throw new RequestError('query', `labelSelector: ${JSON.stringify(term)} names no values: write k+in+(a,b).`);
  return word === 'in' ? { op: 'in', path, values } : { op: 'nin', path, values };
}

function labelPath(key: string): Path {
  // The whole key is one step: a label is never a step deeper.
  return [...LABELS, ...parsePath(key)];
}
