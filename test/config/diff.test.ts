import { describe, expect, test } from 'vitest';
import { describeDiff, diffConfig, withLiveChanges } from '../../src/config/diff.ts';
import { loadConfig } from '../../src/config/load.ts';

const load = (text: string) => loadConfig({ text, file: 'x' });

describe('a new version of the configuration', () => {
  test('the same text changes nothing', () => {
    const diff = diffConfig(load('workers: { pods: 3 }'), load('workers: { pods: 3 }'));
    expect(diff).toEqual({ live: [], restart: [], workers: false, limits: false, rules: false, logLevel: false });
    expect(describeDiff(diff)).toBe(null);
  });

  test('every key is either live or waits for a restart, by its name', () => {
    const before = load('workers: { pods: 3 }\nstorage: { url: "postgres://u:canary@h/d" }');
    const after = load(`
workers: { default: 5, deployments.apps: 2 }
limits: { storage: { perSecond: 10 } }
resources: [{ kinds: [pods], labels: a }]
kinds: [pods]
namespaces: [a]
log: { level: debug, format: json }
shutdown: { graceSeconds: 3 }
fence: { maxDeleteShare: 0.5, confirmAfterSeconds: 60 }
audit: { everySeconds: 60 }
storage: { url: "memory:", walBytes: 64MiB }
listen: off
cluster: { name: x }
cache: { pendingBytes: 1MiB }
reflector: { firstList: streaming }
`);
    const diff = diffConfig(before, after);
    expect(diff).toEqual({
      live: [
        'kinds',
        'namespaces',
        'workers.default',
        'workers.pods',
        'workers["deployments.apps"]',
        'limits.storage.perSecond',
        'resources',
        'log.level',
        'shutdown.graceSeconds',
        'fence.maxDeleteShare',
        'fence.confirmAfterSeconds',
        'audit.everySeconds',
      ],
      restart: ['cluster.name', 'storage.url', 'storage.walBytes', 'listen', 'log.format', 'reflector.firstList', 'cache.pendingBytes'],
      workers: true,
      limits: true,
      rules: true,
      logLevel: true,
    });
    expect(describeDiff(diff)).not.toContain('canary');

    const merged = withLiveChanges(before, after);
    expect(diffConfig(merged, after).live).toEqual([]);
    expect(diffConfig(before, merged).restart).toEqual([]);
    expect(Object.isFrozen(merged)).toBe(true);
  });
});
