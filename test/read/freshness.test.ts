import { describe, expect, test } from 'vitest';
import type { ObjectKey } from '../../src/model/key.ts';
import { fieldMatcher } from '../../src/read/fields.ts';
import { freshnessOf } from '../../src/read/freshness.ts';
import { scope } from '../storage/build.ts';

const HEARD = 1_700_000_000_000;
const record = (more: Parameters<typeof scope>[1] = {}, watermark: string | null = '12345'): ReturnType<typeof scope> =>
  scope(watermark, { heardAt: HEARD, ...more });

describe('how old an answer is', () => {
  test.each<[string, ReturnType<typeof record>[], string | null, ReturnType<typeof freshnessOf>]>([
    ['a complete kind', [record()], null, { state: 'complete', text: 'as of 2s ago, complete to 12345' }],
    ['one namespace of it', [record()], 'shop', { state: 'complete', text: 'as of 2s ago, complete to 12345' }],
    [
      'before the first list is complete',
      [record({ complete: false }, null)],
      null,
      { state: 'partial', text: 'as of 2s ago, not complete yet: objects may be missing' },
    ],
    [
      'before anything was heard',
      [record({ complete: false, heardAt: null }, null)],
      null,
      { state: 'partial', text: 'the API server was not heard yet, not complete yet: objects may be missing' },
    ],
    [
      'a mirrored namespace',
      [record({ scope: 'a' }), record({ scope: 'b', heardAt: 0 }, '7')],
      'a',
      { state: 'complete', text: 'as of 2s ago, complete to 12345' },
    ],
    [
      'all namespaces where only some are mirrored: the oldest counts',
      [record({ scope: 'a' }), record({ scope: 'b', heardAt: HEARD - 60_000 })],
      null,
      { state: 'partial', text: 'as of 62s ago, complete, but only namespaces a, b are mirrored' },
    ],
    ['another namespace', [record({ scope: 'a' })], 'shop', { state: 'unknown', text: 'the namespace is not mirrored, only namespace a' }],
    ['no record', [], null, { state: 'unknown', text: 'nobody mirrors this kind' }],
    ['a writer whose clock is ahead', [record({ heardAt: HEARD + 60_000 })], null, { state: 'complete', text: 'as of 0s ago, complete to 12345' }],
  ])('%s', (_name, records, namespace, expected) => {
    expect(freshnessOf({ records, parked: [], namespace }, HEARD + 2_000)).toEqual(expected);
  });

  test('of a mirror that was not heard for longer than any watch is silent', () => {
    const minutes = (count: number): ReturnType<typeof freshnessOf> =>
      freshnessOf({ records: [record()], parked: [], namespace: null }, HEARD + count * 60_000);
    expect(minutes(10)).toEqual({ state: 'complete', text: 'as of 10m ago, complete to 12345' });
    expect(minutes(180)).toEqual({
      state: 'partial',
      text: 'as of 3h ago, complete to 12345: the mirror does not run, or does not hear the API server',
    });
  });

  test('what storage refused is told to who asked for its namespace, and makes the answer partial', () => {
    const parked = ['shop/big', 'shop/huge', 'team/big'].map((key) => ({
      ...{ kind: 'pods', key: key as ObjectKey, uid: 'u', revision: '5', error: 'too large', attempts: 1, since: HEARD },
    }));
    const asked = (namespace: string | null, rows = parked): ReturnType<typeof freshnessOf> =>
      freshnessOf({ records: [record()], parked: rows, namespace }, HEARD + 2_000);
    expect(asked('team')).toEqual({
      state: 'partial',
      text: 'as of 2s ago, complete to 12345, but team/big was refused by storage, so missing here or shown in an older state (too large)',
    });
    expect(asked(null).text).toBe(
      'as of 2s ago, complete to 12345, but shop/big and 2 more were refused by storage, so missing here or shown in an older state (the first: too large)',
    );
    expect(asked('default')).toEqual({ state: 'complete', text: 'as of 2s ago, complete to 12345' });
    expect(freshnessOf({ records: [], parked, namespace: null }, HEARD)).toEqual({ state: 'unknown', text: 'nobody mirrors this kind' });
  });
});

test('field selectors know the fields of the API server, and what an unset one means', () => {
  const pod = { metadata: { name: 'a', namespace: 'n' }, spec: {}, status: { phase: 'Running' } };
  for (const text of ['status.phase=Running', 'spec.nodeName=', 'spec.hostNetwork=false', 'metadata.name=a,metadata.namespace=n', 'spec.host!=n1', ',']) {
    expect(fieldMatcher(text, 'pods', [])(pod), text).toBe(true);
  }
  for (const text of ['status.phase!=Running', 'spec.nodeName=n1', 'spec.hostNetwork=true']) expect(fieldMatcher(text, 'pods', [])(pod), text).toBe(false);
  expect(fieldMatcher('spec.size=3', 'widgets.demo.example.com', ['spec.size'])({ spec: { size: 3 } })).toBe(true);
  expect(fieldMatcher('source=kubelet', 'events', [])({ source: { component: 'kubelet' } })).toBe(true);
});

test('a field that the API server does not select by is refused, also with !=', () => {
  expect(() => fieldMatcher('spec.nodename!=x', 'pods', [])).toThrow(/field label not supported: spec\.nodename; pods can be selected by metadata\.name/);
});
