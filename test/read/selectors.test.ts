import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseFieldSelector, parseLabelSelector, SelectorError } from '../../src/read/selectors.ts';

describe('label selectors', () => {
  const web = { app: 'web', tier: 'front', cpus: '4', empty: '' };
  test.each<[selector: string, matches: boolean]>([
    ['', true],
    ['   ', true],
    ['app', true],
    ['db', false],
    ['!db', true],
    ['! db', true],
    ['!app', false],
    ['app=web', true],
    ['app==web', true],
    ['app = web', true],
    ['app=db', false],
    ['app!=db', true],
    ['none!=db', true],
    ['app!=web', false],
    ['app in (web,db)', true],
    ['app in ( db , web )', true],
    ['app in (db)', false],
    ['none in (db)', false],
    ['app notin (db)', true],
    ['app notin (web)', false],
    ['none notin (web)', true],
    ['cpus>3', true],
    ['cpus>4', false],
    ['cpus<5', true],
    ['none>1', false],
    ['app>1', false],
    ['app=web,tier=front', true],
    ['app=web,tier=back', false],
    ['empty=', true],
    ['app=', false],
    ['empty in ()', true],
    ['empty in (,web)', true],
    ['app in (,web)', true],
    ['empty in (web,)', true],
    ['in in (a)', false],
    ['toString', false],
    ['example.com/role=x', false],
  ])('%j on {app: web, tier: front, cpus: 4, empty: ""} is %s', (selector, matches) => {
    expect(parseLabelSelector(selector).matches(web)).toBe(matches);
  });

  test.each<[selector: string, message: string]>([
    [',', "found ',', expected: !, identifier, or 'end of string'"],
    ['app,', "found '', expected: identifier after ','"],
    ['(app)', "found '(', expected: !, identifier, or 'end of string'"],
    ['app exists', "unable to parse requirement: found 'exists', expected: in, notin, =, ==, !=, gt, lt"],
    ['app=a b', "found 'b', expected: ',' or 'end of string'"],
    ['app in', "unable to parse requirement: found '' expected: '('"],
    ['app in (a', "unable to parse requirement: found '', expected: ',' or ')'"],
    ['app in (a b)', "unable to parse requirement: found 'b', expected: ',' or ')'"],
    ['app=(a)', "unable to parse requirement: found '(', expected: identifier"],
    ['!', "unable to parse requirement: found '', expected: identifier"],
  ])('%j is refused in the words of the API server', (selector, message) => {
    expect(() => parseLabelSelector(selector)).toThrow(new SelectorError(message));
  });

  test.each(['app="web"', 'app>x', 'app<', `app=${'a'.repeat(64)}`, '-app=x', 'a/b/c', '/x', 'A.B/x', 'app=-x', '!app=x', `${'k'.repeat(64)}`, 'app in web'])(
    '%j is refused',
    (selector) => {
      expect(() => parseLabelSelector(selector)).toThrow(SelectorError);
    },
  );

  test('any text is parsed or refused with a SelectorError, and what is parsed can be evaluated', () => {
    const token = fc.constantFrom('a', 'b', 'in', 'notin', '(', ')', ',', '!', '=', '==', '!=', '>', '<', '1', ' ', '"', '\\', 'é');
    fc.assert(
      fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
        const text = tokens.join('');
        try {
          expect(typeof parseLabelSelector(text).matches({ a: '1', in: 'b' })).toBe('boolean');
        } catch (cause) {
          expect(cause).toBeInstanceOf(SelectorError);
        }
      }),
    );
  });

  test('equality selectors agree with a plain comparison', () => {
    const key = fc.constantFrom('a', 'b', 'c');
    const value = fc.constantFrom('', 'x', 'y');
    const term = fc.record({ key, value, negated: fc.boolean() });
    fc.assert(
      fc.property(fc.array(term, { maxLength: 4 }), fc.dictionary(key, value), (terms, labels) => {
        const text = terms.map((one) => `${one.key}${one.negated ? '!=' : '='}${one.value}`).join(',');
        const expected = terms.every((one) => (labels[one.key] === one.value) !== one.negated);
        expect(parseLabelSelector(text).matches(labels)).toBe(expected);
      }),
    );
  });
});

describe('field selectors', () => {
  const get = (path: string): string => ({ 'metadata.name': 'a,b', 'spec.nodeName': 'n1' })[path] ?? '';
  test.each<[selector: string, matches: boolean]>([
    ['', true],
    [',', true],
    ['spec.nodeName=n1', true],
    ['spec.nodeName==n1', true],
    ['spec.nodeName!=n1', false],
    ['status.phase=', true],
    ['status.phase!=', false],
    ['metadata.name=a\\,b', true],
    ['spec.nodeName=n1,status.phase!=Failed', true],
    ['spec.nodeName=n1,,status.phase=Failed', false],
  ])('%j is %s', (selector, matches) => {
    expect(parseFieldSelector(selector).matches(get)).toBe(matches);
  });

  test.each<[selector: string, message: string]>([
    ['x', "invalid selector: 'x'; can't understand 'x'"],
    ['a=1,x in (a)', "invalid selector: 'a=1,x in (a)'; can't understand 'x in (a)'"],
    ['a=b=c', 'invalid field selector: unescaped character in value: ='],
    ['a=b\\c', 'invalid field selector: invalid escape sequence: \\c'],
    ['a=b\\', 'invalid field selector: invalid escape sequence: \\'],
  ])('%j is refused', (selector, message) => {
    expect(() => parseFieldSelector(selector)).toThrow(new SelectorError(message));
  });

  test('escaping a value and parsing it gives it back', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const text = `metadata.name=${value.replaceAll(/[\\,=]/g, '\\$&')}`;
        expect(parseFieldSelector(text).requirements).toEqual([{ path: 'metadata.name', operator: '=', value }]);
      }),
    );
  });
});
