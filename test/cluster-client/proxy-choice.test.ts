import { describe, expect, test } from 'vitest';
import { chooseProxy } from '../../src/cluster/proxy-choice.ts';

const server = new URL('https://api.example.com:6443');
const env = { HTTPS_PROXY: 'http://proxy.local:3128' };

test('proxy-url of the kubeconfig goes before the environment and its exceptions', () => {
  expect(chooseProxy(server, 'socks5://127.0.0.1:1080', { ...env, NO_PROXY: '*' })?.href).toBe('socks5://127.0.0.1:1080');
});

test('HTTPS_PROXY is used for https, HTTP_PROXY for http, either in lower case', () => {
  expect(chooseProxy(server, undefined, env)?.host).toBe('proxy.local:3128');
  expect(chooseProxy(server, undefined, { https_proxy: 'proxy.local:3128' })?.host).toBe('proxy.local:3128');
  expect(chooseProxy(server, undefined, { HTTP_PROXY: 'http://proxy.local:3128' })).toBeNull();
  expect(chooseProxy(new URL('http://api.example.com'), undefined, { HTTP_PROXY: 'http://proxy.local:3128' })?.host).toBe('proxy.local:3128');
});

test('a loopback server is never asked through a proxy of the environment', () => {
  for (const url of ['https://127.0.0.1:6443', 'https://localhost:6443', 'https://[::1]:6443']) expect(chooseProxy(new URL(url), undefined, env)).toBeNull();
});

describe('NO_PROXY', () => {
  const cases: readonly (readonly [rule: string, server: string, exempt: boolean])[] = [
    ['*', 'https://api.example.com', true],
    ['api.example.com', 'https://api.example.com:6443', true],
    ['example.com', 'https://api.example.com', true],
    ['.example.com', 'https://api.example.com', true],
    ['.example.com', 'https://example.com', false],
    ['*.example.com', 'https://api.example.com', true],
    ['ample.com', 'https://api.example.com', false],
    ['other.com, API.example.com', 'https://api.example.com', true],
    ['api.example.com:6443', 'https://api.example.com:6443', true],
    ['api.example.com:443', 'https://api.example.com:6443', false],
    ['10.0.0.0/8', 'https://10.1.2.3:6443', true],
    ['10.0.0.0/8', 'https://11.1.2.3:6443', false],
    ['fd00::/8', 'https://[fd00::1]:6443', true],
    ['10.1.2.3', 'https://10.1.2.3', true],
    ['2.3', 'https://10.1.2.3', false],
    ['10.0.0.0/99', 'https://10.1.2.3', false],
    ['', 'https://api.example.com', false],
  ];
  for (const [rule, url, exempt] of cases) {
    test(`"${rule}" ${exempt ? 'exempts' : 'does not exempt'} ${url}`, () => {
      expect(chooseProxy(new URL(url), undefined, { ...env, NO_PROXY: rule }) === null).toBe(exempt);
    });
  }
});

test('a proxy that is no URL is refused by the name of its source, without repeating it', () => {
  expect(() => chooseProxy(server, 'ftp://user:secret@host', {})).toThrow(/proxy-url of the kubeconfig: it must be a URL/);
  expect(() => chooseProxy(server, 'ftp://user:secret@host', {})).not.toThrow(/secret/);
});
