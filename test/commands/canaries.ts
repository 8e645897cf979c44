import { writeFileSync } from 'node:fs';
import type { Hollow } from '../../src/hollow/server.ts';

/** Each a word that occurs nowhere else. */
export const CANARIES = {
  token: 'canary-token-9f3a61',
  password: 'canary-password-52cc07',
  storageToken: 'canary-storage-token-d81b',
  clientKey: 'canary-client-key-77e0',
  pluginToken: 'canary-plugin-token-4410',
  secretValue: 'canary-secret-value-e6c2',
  maskedValue: 'canary-masked-value-1b9d',
  environment: 'canary-env-value-a0f7',
  annotation: 'canary-annotation-3d55',
} as const;

/** The words of `text` that must not be there; base64 counts as the word. */
export function found(text: string): readonly string[] {
  const words = [...Object.values(CANARIES), `u:${CANARIES.password}`];
  const forms = words.flatMap((word) => [word, Buffer.from(word).toString('base64').replace(/=+$/, '')]);
  return forms.filter((form) => text.includes(form));
}

/** Puts them where clusters have secrets: a Secret, a ConfigMap, and the environment and annotations of a pod, all named `canary`. */
export function plantCanaries(hollow: Hollow): void {
  const metadata = { name: 'canary', namespace: hollow.keys('pods')[0]?.split('/')[0] ?? '' };
  const value = Buffer.from(CANARIES.secretValue).toString('base64');
  hollow.create('secrets', { ...{ apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque' }, data: { password: value } });
  hollow.create('configmaps', { ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata }, data: { key: CANARIES.maskedValue } });
  const env = [{ name: 'PASSWORD', value: CANARIES.environment }];
  const annotated = { ...metadata, annotations: { note: CANARIES.annotation } };
  hollow.create('pods', { ...{ apiVersion: 'v1', kind: 'Pod', metadata: annotated }, spec: { containers: [{ name: 'main', image: 'none', env }] } });
}

/** A kubeconfig for one user at this server; returns its path. */
export function writeKubeconfig(path: string, server: string, user: object): string {
  const [cluster, context] = [{ server }, { cluster: 'c', user: 'u' }];
  writeFileSync(
    path,
    JSON.stringify({ clusters: [{ name: 'c', cluster }], users: [{ name: 'u', user }], contexts: [{ name: 'x', context }], 'current-context': 'x' }),
  );
  return path;
}

/** Secrets hashed, ConfigMaps masked, and what is needed around them. */
export const RULES = [
  { kinds: ['secrets'], secrets: 'hashed' },
  { kinds: ['configmaps'], mask: ['data.*'] },
  { kinds: ['pods', 'nodes', 'namespaces'] },
  { kinds: ['*'], mirror: false },
];
