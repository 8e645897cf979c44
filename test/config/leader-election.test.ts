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
