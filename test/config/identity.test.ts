import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { clusterNameFrom } from '../../src/config/identity.ts';
import { loadConfig } from '../../src/config/load.ts';
import { readSecretKey } from '../../src/config/secret-key.ts';
import { UsageError } from '../../src/model/errors.ts';
import { tempDir } from '../support/temp-dir.ts';

const load = (text: string) => loadConfig({ text, file: 'x' });

test('the name of the cluster is the configured one, else that of the context in a form the configuration would accept', () => {
  expect(clusterNameFrom(load('cluster: { name: prod }'), 'other')).toBe('prod');
  const contexts = ['kind-dev', 'arn:aws:eks:eu-1:123:cluster/prod', 'admin@k', '///', '', `${'a'.repeat(252)}-${'b'.repeat(9)}`];
  const names = contexts.map((context) => clusterNameFrom(load(''), context));
  expect(names.slice(0, 5)).toEqual(['kind-dev', 'arn-aws-eks-eu-1-123-cluster-prod', 'admin-k', 'default', 'default']);
  for (const name of names) expect(loadConfig({ text: null, file: 'x', flags: { clusterName: name } }).cluster.name).toBe(name);
});

describe('the key of Secret hashes', () => {
  const never = (): Promise<string> => Promise.reject(new Error('the identity is not needed'));

  test('derived: the same for one cluster, another for another', async () => {
    const keys = await Promise.all(['a', 'a', 'b'].map((uid) => readSecretKey(load(''), async () => uid)));
    expect(keys[0]).toEqual(keys[1]);
    expect(keys[0]).not.toEqual(keys[2]);
    expect(keys[0]).toHaveLength(32);
  });

  test('from a file: its bytes; too short or missing is refused without quoting it', async () => {
    using dir = tempDir('key');
    const config = load(`secrets: { hashKeyFile: ${JSON.stringify(dir.file('key'))} }`);
    await expect(readSecretKey(config, never)).rejects.toThrow(/hashKeyFile: .* cannot be read \(ENOENT/);
    writeFileSync(dir.file('key'), 'short-canary');
    await expect(readSecretKey(config, never)).rejects.toThrow(
      new UsageError(`secrets.hashKeyFile: ${dir.file('key')} holds 12 bytes, at least 16 are needed. Make one with: openssl rand 32 > FILE`),
    );
    writeFileSync(dir.file('key'), 'long enough, this one');
    expect(Buffer.from(await readSecretKey(config, never)).toString()).toBe('long enough, this one');
  });
});
