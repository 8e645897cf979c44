/**
 * Identifies one object inside one kind: `namespace/name`, or `name` for a cluster-scoped object.
 * The uid is not part of it (ST-S1): delete and recreate keep the key and change the uid.
 * Neither part can contain a slash, so the form is unambiguous.
 */
export type ObjectKey = string & { readonly __brand: 'ObjectKey' };

/** `namespace` is `''` for a cluster-scoped object. */
export function objectKey(namespace: string, name: string): ObjectKey {
  return (namespace === '' ? name : `${namespace}/${name}`) as ObjectKey;
}

/** The namespace of a key, `''` when cluster-scoped. */
export function namespaceOf(key: ObjectKey): string {
  const slash = key.indexOf('/');
  return slash === -1 ? '' : key.slice(0, slash);
}

export function nameOf(key: ObjectKey): string {
  return key.slice(key.indexOf('/') + 1);
}
