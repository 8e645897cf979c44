import { expect, test } from 'vitest';
import { diffConfig } from '../../src/config/diff.ts';
import { loadConfig } from '../../src/config/load.ts';

const load = (text: string) => loadConfig({ text, file: 'kubefold.yaml' });

test('nobody elects unless it is asked for, and then with the times of client-go', () => {
  expect(load('').leaderElection).toEqual({ enabled: false, name: 'kubefold', namespace: null, leaseSeconds: 15, renewSeconds: 10, retrySeconds: 2 });
  expect(load('leaderElection: { enabled: true, name: copy, namespace: ops }').leaderElection).toMatchObject({ enabled: true, name: 'copy', namespace: 'ops' });
});

test('a lease that is not longer than its renewal may take is refused, with both numbers and a way out', () => {
  expect(() => load('leaderElection: { leaseSeconds: 10 }')).toThrow(
    /leaderElection\.leaseSeconds must be more than renewSeconds, which is 10, found 10\. .*for example 15 and 10/,
  );
  expect(() => load('leaderElection: { renewSeconds: 12, retrySeconds: 10 }')).toThrow(
    /leaderElection\.renewSeconds must be more than 1\.2 times retrySeconds, which is 10, found 12/,
  );
});

test.each(['Copy', '-a', 'a_b', 'a b', ''])('the name %j is refused: it names an object in the cluster', (name) => {
  expect(() => load(`leaderElection: { name: ${JSON.stringify(name)} }`)).toThrow(/leaderElection\.name must be/);
});

test('a change of it needs a restart, and says so', () => {
  expect(diffConfig(load(''), load('leaderElection: { enabled: true }'))).toMatchObject({ live: [], restart: ['leaderElection.enabled'] });
});

test('shards need the election, which a replica that is alone wins for all of them', () => {
  expect(load('shards: 4\nleaderElection: { enabled: true }').shards).toBe(4);
  expect(() => load('shards: 4')).toThrow(/leaderElection\.enabled must be true with shards: 4, found false\. .*Or leave shards at 1/);
  expect(diffConfig(load('leaderElection: { enabled: true }'), load('shards: 4\nleaderElection: { enabled: true }'))).toMatchObject({
    live: [],
    restart: ['shards'],
  });
});

test('with shards the name is short enough for a label', () => {
  const named = (name: string, shards: number) => load(`shards: ${shards}\nleaderElection: { enabled: true, name: ${name} }`);
  expect(named('a'.repeat(63), 2).leaderElection.name).toHaveLength(63);
  expect(named('a'.repeat(64), 1).leaderElection.name).toHaveLength(64);
  expect(() => named('a'.repeat(64), 2)).toThrow(/leaderElection\.name must be at most 63 characters long with shards: 2/);
});
