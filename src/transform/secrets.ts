import { createHmac, hkdfSync } from 'node:crypto';
import { annotationsOf, fieldOf } from './mask.ts';

/**
 * Values become `hmac-sha256:` and 64 hex digits: equal values of one cluster stay comparable, nothing can be read back.
 * A colon never occurs in base64, so no stored value of `data` looks like this by chance, and hashing twice is hashing once (WL-S6).
 */
const HASHED = /^hmac-sha256:[0-9a-f]{64}$/;

/** The key when none is configured. Stable for one cluster, so that a restart rewrites nothing; not secret to whoever may read kube-system's uid. */
export function deriveSecretKey(clusterIdentity: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', clusterIdentity, 'kubefold', 'secret values', 32));
}

/** Annotations in which tools keep a copy of the whole object. */
const COPIES = ['kubectl.kubernetes.io/last-applied-configuration', 'kapp.k14s.io/original', 'banzaicloud.com/last-applied', 'objectset.rio.cattle.io/applied'];

/**
 * Replaces every value of a parsed Secret, in place: `data`, `stringData`, and each annotation that is or may hold a copy
 * of them (known names, any JSON, any text that contains a value as it is or decoded). Keys, type and labels stay.
 */
export function hashSecret(object: unknown, key: Uint8Array): void {
  const values = new Set<string>();
  for (const name of ['data', 'stringData']) {
    const map = fieldOf(object, name);
    if (typeof map !== 'object' || map === null) {
      if (map !== undefined && map !== null) (object as Record<string, unknown>)[name] = hashed(JSON.stringify(map), key);
      continue;
    }
    for (const entry of Object.keys(map)) {
      const value = (map as Record<string, unknown>)[entry];
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      if (HASHED.test(text)) continue;
      values.add(text);
      if (name === 'data') values.add(Buffer.from(text, 'base64').toString('utf8'));
      Object.defineProperty(map, entry, { value: hashed(text, key), writable: true, enumerable: true, configurable: true });
    }
  }
  const annotations = annotationsOf(object);
  if (annotations === null) return;
  for (const [name, value] of Object.entries(annotations)) {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    if (HASHED.test(text)) continue;
    if (COPIES.includes(name) || /^\s*[{[]/.test(text) || containsAny(text, values)) annotations[name] = hashed(text, key);
  }
}

function hashed(text: string, key: Uint8Array): string {
  return `hmac-sha256:${createHmac('sha256', key).update(text).digest('hex')}`;
}

/** Shorter values than four characters are in every text. */
function containsAny(text: string, values: ReadonlySet<string>): boolean {
  for (const value of values) if (value.length >= 4 && text.includes(value)) return true;
  return false;
}
