import { readFile } from 'node:fs/promises';
import { messageOf, UsageError } from '../model/errors.ts';
import { deriveSecretKey } from '../transform/secrets.ts';
import type { Config } from './schema.ts';

const SHORTEST_KEY = 16;

/**
 * The key of the hashes that stand for Secret values: the configured file, else derived from the identity of the cluster (uid of
 * kube-system, null when it may not be read). The latter is stable, so that a restart rewrites nothing; but whoever knows it can guess weak values.
 */
export async function readSecretKey(config: Config, identity: () => Promise<string | null>): Promise<Uint8Array> {
  const path = config.secrets.hashKeyFile;
  if (path === null) return deriveSecretKey((await identity()) ?? 'an unknown cluster');
  let key: Uint8Array;
  try {
    key = await readFile(path);
  } catch (cause) {
    throw new UsageError(
      `secrets.hashKeyFile: ${path} cannot be read (${messageOf(cause)}). Name a readable file of at least ${SHORTEST_KEY} bytes, or leave it out.`,
    );
  }
  if (key.length < SHORTEST_KEY) {
    throw new UsageError(`secrets.hashKeyFile: ${path} holds ${key.length} bytes, at least ${SHORTEST_KEY} are needed. Make one with: openssl rand 32 > FILE`);
  }
  return key;
}
