import { describe, expect, test } from 'vitest';
import { ownerOf } from '../../src/json/owner-references.ts';
import { ObjectScanner } from '../../src/json/scanner.ts';

const shown = (text: string): string | null => {
  const owner = ownerOf(Buffer.from(text), 0, Buffer.byteLength(text));
  return owner === null ? null : `${owner.apiVersion} ${owner.kind} ${owner.name} ${owner.uid}${owner.isController ? ' controls' : ''}`;
};

const REPLICA_SET = '{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-1","uid":"u1","controller":true,"blockOwnerDeletion":true}';
const CONFIG_MAP = '{"apiVersion":"v1","kind":"ConfigMap","name":"c","uid":"u2"}';

describe('the owner that counts', () => {
  test.each<[string, string, string | null]>([
    ['is the only one', `[${REPLICA_SET}]`, 'apps/v1 ReplicaSet web-1 u1 controls'],
    ['is the controller, wherever it stands', `[${CONFIG_MAP},${REPLICA_SET}]`, 'apps/v1 ReplicaSet web-1 u1 controls'],
    ['is the first, when none controls', `[${CONFIG_MAP},{"apiVersion":"v1","kind":"Secret","name":"s","uid":"u3","controller":false}]`, 'v1 ConfigMap c u2'],
    [
      'is read whatever the order, spacing and escapes of its keys',
      ' [ { "controller" : true , "u\\u0069d":"u\\u0031", "name":"ä" ,"kind":"K" } ] '.trim(),
      ' K ä u1 controls',
    ],
    [
      'is not one without a uid, kind or name',
      `[{"kind":"K","name":"n"},{"uid":"u","name":"n"},{"uid":"u","kind":"K"},{"uid":1,"kind":"K","name":"n"},${CONFIG_MAP}]`,
      'v1 ConfigMap c u2',
    ],
    ['is none of no references', '[]', null],
    ['is none of null', 'null', null],
    ['is none of what is no array', '{"uid":"u"}', null],
    ['is what stands before damage', `[${CONFIG_MAP},{"uid"`, 'v1 ConfigMap c u2'],
    ['is none of damage that throws', '[{"uid" "u"}]', null],
    ['is none of a text that nothing can decode', '[{"uid":"\\x","kind":"K","name":"n"}]', null],
  ])('%s', (_name, text, expected) => {
    expect(shown(text)).toBe(expected);
  });

  test('is found by the scanner in a line and in a whole object, and is that of the object scanned last', () => {
    const scanner = new ObjectScanner({ kind: 'Pod', apiVersion: 'v1' });
    const textOf = (owners: string): Buffer =>
      Buffer.from(`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","uid":"u","resourceVersion":"1"${owners}},"spec":{}}`);
    const owned = textOf(`,"ownerReferences":[${REPLICA_SET}]`);
    scanner.scan(owned, 0, owned.length);
    expect(scanner.owner()?.uid).toBe('u1');
    scanner.scanLine(owned, 0, owned.length);
    expect(scanner.owner()?.uid).toBe('u1');
    const free = textOf('');
    scanner.scanLine(free, 0, free.length);
    expect(scanner.owner()).toBe(null);
    scanner.scan(owned, 0, owned.length);
    scanner.release();
    expect(scanner.owner()).toBe(null);
  });

  test('is that of the last metadata, when an object has two', () => {
    const scanner = new ObjectScanner({ kind: 'Pod', apiVersion: 'v1' });
    const text = Buffer.from(`{"metadata":{"ownerReferences":[${REPLICA_SET}]},"metadata":{"name":"p","uid":"u","resourceVersion":"1"}}`);
    scanner.scan(text, 0, text.length);
    expect(scanner.owner()).toBe(null);
  });
});
