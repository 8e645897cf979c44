import { expect, test } from 'vitest';
import { brokenHistory } from '../../src/mirror/history-guard.ts';

test('a history that goes on is not broken, also while parts of it may not be read', () => {
  expect(brokenHistory({ identity: null, revision: null }, { identity: 'a', revision: '5' })).toBeNull();
  expect(brokenHistory({ identity: 'a', revision: '5' }, { identity: 'a', revision: '5' })).toBeNull();
  expect(brokenHistory({ identity: 'a', revision: '99' }, { identity: 'a', revision: '100' })).toBeNull();
  expect(brokenHistory({ identity: 'a', revision: '5' }, { identity: null, revision: null })).toBeNull();
});

test('another uid of kube-system, or a revision that went back, breaks it', () => {
  expect(brokenHistory({ identity: 'a', revision: '5' }, { identity: 'b', revision: '900' })).toContain('the cluster is another one');
  expect(brokenHistory({ identity: 'a', revision: '1005' }, { identity: 'a', revision: '205' })).toBe(
    'the history of the cluster went back from revision 1005 to 205',
  );
  expect(brokenHistory({ identity: null, revision: '1005' }, { identity: null, revision: '205' })).toContain('went back');
});
