import { expect, test } from 'vitest';
import { TypeNames } from '../../../src/storage/bcs/type-names.ts';
import { DEPLOYMENTS, PODS } from '../build.ts';

const OTHER = { ...DEPLOYMENTS, group: 'other.example.com' };

test('a kind is stored by its Kind; a second one of that Kind gets a name of its own and is known as such (4.1 #24)', () => {
  const names = new TypeNames();
  expect(names.name(PODS).type).toBe('Pod');
  expect(names.name(DEPLOYMENTS).type).toBe('Deployment');
  expect(names.name(OTHER).type).toBe('Deployment.other.example.com');
  expect([names.isAlias('deployments.apps'), names.isAlias('deployments.other.example.com')]).toEqual([false, true]);
});

test('what is on record stays, in whichever order kinds come the next time', () => {
  const names = new TypeNames();
  names.record({ kind: OTHER, type: 'Deployment' });
  names.learn([DEPLOYMENTS, OTHER]);
  expect(names.find('deployments.apps')?.type).toBe('Deployment.apps');
  expect(names.find('deployments.other.example.com')?.type).toBe('Deployment');
});

test('an id is only known when discovery or the record has told its kind', () => {
  const names = new TypeNames();
  expect(names.find('pods')).toBeNull();
  names.learn([PODS]);
  expect(names.find('pods')).toEqual({ kind: PODS, type: 'Pod' });
});
