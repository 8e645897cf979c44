import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { formatByteSize, parseByteSize } from '../../src/config/byte-size.ts';
import { configJsonSchema } from '../../src/config/json-schema.ts';
import { isLoopback, listenFailure, parseListen } from '../../src/config/listen.ts';
import { loadConfig } from '../../src/config/load.ts';
import { printConfig } from '../../src/config/print.ts';
import { compileRules, planKind } from '../../src/config/rules.ts';
import { redactUrl } from '../../src/config/storage-url.ts';
import { CLUSTER, PODS, SECRETS } from './kinds.ts';

const SAMPLES = new URL('../../config/', import.meta.url);
const samples = readdirSync(SAMPLES).filter((name) => name.endsWith('.yaml'));
const sample = (name: string): string => readFileSync(new URL(name, SAMPLES), 'utf8');

describe('the samples', () => {
  test('there is one for each use', () => {
    expect(samples).toEqual(['bcs-storage.yaml', 'big-cluster.yaml', 'laptop.yaml', 'namespaces.yaml', 'operator.yaml', 'selective.yaml', 'shards.yaml']);
  });

  for (const name of samples) {
    test(`${name} loads, is commented, and prints to the same configuration`, () => {
      const config = loadConfig({ text: sample(name), file: name });
      expect(sample(name)).toMatch(/^#/);
      expect(loadConfig({ text: printConfig(config), file: 'printed' })).toEqual(config);
    });
  }

  test('selective.yaml mirrors Secrets as hashes and hides the environment of pods', () => {
    const rules = compileRules(loadConfig({ text: sample('selective.yaml'), file: 'x' }));
    expect(planKind(SECRETS, rules)).toMatchObject({ mirror: true, secrets: 'hashed', fieldSelector: 'type!=kubernetes.io/service-account-token' });
    expect(planKind(PODS, rules).fieldSelector).toBe('status.phase=Running,spec.nodeName!=,metadata.namespace!=kube-system,metadata.namespace!=kube-public');
  });

  test('namespaces.yaml follows its namespaces one by one and nothing cluster-wide', () => {
    const rules = compileRules(loadConfig({ text: sample('namespaces.yaml'), file: 'x' }));
    const scopes = CLUSTER.map((kind) => planKind(kind, rules))
      .filter(({ mirror }) => mirror)
      .map((plan) => plan.scopes);
    expect(scopes).toEqual([0, 1, 2, 3].map(() => ['team-a', 'team-b']));
  });
});

describe('config print', () => {
  test('shows the effective value with meaning and default, sizes with a unit', () => {
    const text = printConfig(loadConfig({ text: 'cache: { pendingBytes: 67108864 }', file: 'x' }));
    expect(text).toContain(
      'cache:\n  # pending keeps the body of an object only while it waits to be written; all keeps every body.\n  # all: checked now; acted on by the release with the read API. Default pending.\n  bodies: pending\n',
    );
    expect(text).toContain('  pendingBytes: 64MiB\n');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });

  test('every key has a description', () => {
    const lines = printConfig(loadConfig({ text: null, file: 'x' })).split('\n');
    const keys = lines.flatMap((line, index) => (/^ *[a-zA-Z]+:/.test(line) ? [{ line, before: lines[index - 1] ?? '' }] : []));
    expect(keys.length).toBeGreaterThan(40);
    for (const { line, before } of keys) expect({ line, before }).toEqual({ line, before: expect.stringMatching(/^ *# /) });
  });

  test('never shows the password of a storage URL', () => {
    const text = printConfig(loadConfig({ text: 'storage: { url: "postgres://kf:hunter2canary@db/x?sslpassword=hunter2canary&a=b" }', file: 'x' }));
    expect(text).not.toContain('hunter2canary');
    expect(parse(text).storage.url).toBe('postgres://kf:***@db/x?sslpassword=***&a=b');
  });
});

test('config schema describes every top-level key, refuses unknown ones and carries defaults', () => {
  const schema = JSON.parse(configJsonSchema());
  expect(Object.keys(schema.properties)).toEqual(Object.keys(loadConfig({ text: null, file: 'x' })));
  expect(schema.additionalProperties).toBe(false);
  for (const property of Object.values<{ description?: string; default?: unknown }>(schema.properties)) {
    expect(property.description).toMatch(/\.$/);
    expect(property).toHaveProperty('default');
  }
  expect(schema.properties.resources.items.required).toEqual(['kinds']);
});

test('a redacted URL keeps everything but the secrets', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['sqlite:./kubefold.db', 'sqlite:./kubefold.db'],
    ['sqlite:/home/a@b/x.db', 'sqlite:/home/a@b/x.db'],
    ['postgres://user@host/db', 'postgres://user@host/db'],
    ['postgres://user:p@ss:w/rd@host:5432/db', 'postgres://user:***@host:5432/db'],
    ['bcs+https://h:1/?token=abc#x', 'bcs+https://h:1/?token=***#x'],
  ];
  for (const [url, shown] of cases) expect(redactUrl(url)).toBe(shown);
});

test('property: no password survives in a redacted URL, whatever characters it has', () => {
  const scheme = fc.constantFrom('postgres://', 'mysql://', 'bcs+http://', 'redis:', 'http://');
  fc.assert(
    fc.property(scheme, fc.stringMatching(/^[a-z]{0,5}$/), fc.string({ minLength: 0, maxLength: 5 }), (start, user, odd) => {
      expect(redactUrl(`${start}${user}:${odd}Canary${odd}@host/db`)).not.toContain('Canary');
    }),
  );
});

test('property: sizes survive being printed', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.nat(40), (bytes, shift) => {
      for (const size of [bytes, 2 ** shift]) expect(parseByteSize(formatByteSize(size))).toBe(size);
    }),
  );
  expect(['128MiB', '128Mi', '1.5GB', '7', ' 2 KiB '].map(parseByteSize)).toEqual([134217728, 134217728, 1.5e9, 7, 2048]);
  expect(['', '-1', '1e3', '1 parsec', '0.1', 'MiB', '99999999TiB', '1toString'].map(parseByteSize)).toEqual(Array(8).fill(null));
});

describe('where to listen', () => {
  test('hosts and ports', () => {
    expect(parseListen('127.0.0.1:8080')).toEqual({ host: '127.0.0.1', port: 8080 });
    expect(parseListen('[::1]:0')).toEqual({ host: '::1', port: 0 });
    expect(parseListen(':80')).toEqual({ host: '', port: 80 });
    expect(['8080', 'a:b', 'h:70000', '::1:80', 'http://h:1', 'h:1 '].map(parseListen)).toEqual(Array(6).fill(null));
  });

  test('only the machine itself is loopback', () => {
    const loopback = (text: string): boolean => isLoopback(parseListen(text) ?? { host: 'none', port: 0 });
    expect(['127.0.0.1:1', '127.9.9.9:1', 'localhost:1', '[::1]:1'].map(loopback)).toEqual([true, true, true, true]);
    expect([':1', '0.0.0.0:1', '[::]:1', '127.0.0.1.evil.test:1', '10.0.0.1:1', '128.0.0.1:1'].map(loopback)).toEqual(Array(6).fill(false));
  });

  test('a port in use is told with a way out', () => {
    expect(listenFailure('127.0.0.1:8080', 'EADDRINUSE').message).toBe(
      'Cannot listen on 127.0.0.1:8080 (listen, --listen): the port is in use by another process. Stop that process, or choose another port with --listen HOST:PORT (port 0 takes any free one).',
    );
  });
});
