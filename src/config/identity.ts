import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { messageOf, UsageError } from '../model/errors.ts';
import type { Config } from './schema.ts';

/** What the copy calls the cluster: as configured, else the kubeconfig context's name made fit for storage keys and addresses. */
export function clusterNameFrom(config: Config, contextName: string): string {
  if (config.cluster.name !== null) return config.cluster.name;
  const name = contextName
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '')
    .slice(0, 253);
  return name === '' ? 'default' : name;
}

/**
 * The key of the hashes that stand for Secret values: the configured file, else derived from the identity of the cluster (uid of
 * kube-system). The latter is stable, so that a restart rewrites nothing; but whoever knows it can guess weak values.
 */
export async function readSecretKey(config: Config, identity: () => Promise<string | null>): Promise<Uint8Array> {
  const path = config.secrets.hashKeyFile;
  if (path === null)
    return createHash('sha256')
      .update(`kubefold secret values of ${(await identity()) ?? 'an unknown cluster'}`)
      .digest();
  let key: Uint8Array;
  try {
    key = readFileSync(path);
  } catch (cause) {
    throw new UsageError(`secrets.hashKeyFile: ${path} cannot be read (${messageOf(cause)}). Name a readable file of at least 16 bytes, or leave it out.`);
  }
  if (key.length < 16)
    throw new UsageError(`secrets.hashKeyFile: ${path} holds ${key.length} bytes, at least 16 are needed. Make one with: openssl rand 32 > FILE`);
  return key;
}
