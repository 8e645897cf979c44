import { describe, expect, test } from 'vitest';
import { checkStorageUrl, parseBcsUrl } from '../../src/config/storage-url.ts';

describe('the URL of a storage service', () => {
  test('names one or more endpoints, and perhaps a path before the routes', () => {
    expect(parseBcsUrl('bcs+http://old:50024')).toEqual({ origins: ['http://old:50024'], prefix: '' });
    expect(parseBcsUrl('bcs+https://a:1,b:2, [::1]:3/')).toEqual({ origins: ['https://a:1', 'https://b:2', 'https://[::1]:3'], prefix: '' });
    expect(parseBcsUrl('bcs+https://gate.example/apis/storage/bcsstorage/v1/')).toEqual({ origins: ['https://gate.example'], prefix: '/apis/storage' });
    expect(parseBcsUrl('bcs+http://h:1/bcsstorage/v1')).toEqual({ origins: ['http://h:1'], prefix: '' });
  });

  test.each([
    ['bcs+http:old:50024', /must name a host/],
    ['bcs+http://', /must name endpoints as HOST:PORT, not ""/],
    ['bcs+http://a:1,,b:2', /must name endpoints as HOST:PORT, not ""/],
    ['bcs+http://a:99999', /must name endpoints as HOST:PORT, not "a:99999"/],
    ['bcs+http://a:1,http://b:2', /must name endpoints as HOST:PORT, not "http:"/],
    ['bcs+http://a:1,a:1', /must name each endpoint once/],
    ['bcs+http://user:pw@a:1', /must not hold a user or a password/],
    ['bcs+http://a:1?x=1', /must end with its path/],
  ])('%s is refused with the rule and a way out', (url, rule) => {
    const check = checkStorageUrl(url);
    expect(check).toMatchObject({ rule: expect.stringMatching(rule), fix: expect.stringMatching(/bcs\+http|storage\.tokenFile/) });
  });

  test.each([
    ['storage.example:50024', 'bcs+http://storage.example:50024'],
    ['http://storage.example:50024', 'bcs+http://storage.example:50024'],
    ['https://a:1,b:2', 'bcs+https://a:1,b:2'],
    ['a:1,b:2', 'bcs+http://a:1,b:2'],
    ['bcs+storage.example:50024', 'write bcs+http://storage.example:50024'],
  ])('an endpoint without the scheme (%s) is told how to be written (4.1 #36)', (url, fix) => {
    expect(checkStorageUrl(url)).toMatchObject({ rule: expect.stringContaining('must name'), fix: expect.stringContaining(fix) });
  });
});
