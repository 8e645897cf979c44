import { kindId } from '../model/kind.ts';
import { nameOf, namespaceOf } from '../model/key.ts';
import type { Put, Write } from '../storage/storage.ts';
import type { LoadChange } from './load/load.ts';

/** Longer objects repeat it. */
const PADDING = 'x'.repeat(16_384);

/** The write that a change asks for, with an object of its size in memory of its own, as a watch delivers it. */
export function writeOf(change: LoadChange): Write {
  const { kind, key, uid, revision } = change;
  return change.type === 'put' ? putOf(change) : { type: 'delete', kind, key, uid, revision };
}

export function putOf({ kind, key, uid, revision, bytes }: LoadChange): Put {
  const head = JSON.stringify({
    apiVersion: kind.group === '' ? kind.version : `${kind.group}/${kind.version}`,
    kind: kind.kind,
    metadata: { namespace: namespaceOf(key), name: nameOf(key), uid, resourceVersion: revision },
    of: kindId(kind),
  });
  const left = bytes - head.length - ',"fill":""'.length;
  const text = left <= 0 ? head : `${head.slice(0, -1)},"fill":"${left <= PADDING.length ? PADDING.slice(0, left) : 'x'.repeat(left)}"}`;
  return { type: 'put', kind, meta: { key, uid, revision }, body: Buffer.from(text, 'latin1'), isChecked: true };
}
