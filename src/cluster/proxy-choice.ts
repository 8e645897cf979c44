import { BlockList, isIP } from 'node:net';
import { UsageError } from '../model/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const PROXY_PROTOCOLS = new Set(['http:', 'https:', 'socks5:']);

/**
 * The proxy towards `server`, or null: `proxy-url` of the kubeconfig first, then HTTPS_PROXY (HTTP_PROXY for a plain
 * server) unless NO_PROXY or a loopback address forbids it. The rules are Go's, so that kubectl and kubefold take the same road.
 */
export function chooseProxy(server: URL, fromKubeconfig: string | undefined, env: Environment): URL | null {
  if (fromKubeconfig) return parseProxy(fromKubeconfig, 'proxy-url of the kubeconfig');
  const names = server.protocol === 'https:' ? ['HTTPS_PROXY', 'https_proxy'] : ['HTTP_PROXY', 'http_proxy'];
  for (const name of names) {
    const value = env[name];
    if (value) return isExempt(server, env['NO_PROXY'] || env['no_proxy'] || '') ? null : parseProxy(value, name);
  }
  return null;
}

function parseProxy(text: string, from: string): URL {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url !== null && url.hostname !== '' && PROXY_PROTOCOLS.has(url.protocol)) return url;
  // The value may carry a password, so it is not repeated.
  throw new UsageError(`Cannot use the proxy named by ${from}: it must be a URL that begins with http://, https:// or socks5://; correct or unset it`);
}

function isExempt(server: URL, noProxy: string): boolean {
  const host = server.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = server.port || (server.protocol === 'https:' ? '443' : '80');
  if (host === 'localhost' || host.startsWith('127.') || host === '::1') return true;
  return noProxy.split(/[\s,]+/).some((rule) => rule !== '' && ruleMatches(rule.toLowerCase(), host, port));
}

/** `*`, an address, a CIDR range, `name` (and all below it), `.name` and `*.name` (only below it), each but ranges with an optional `:port`. */
function ruleMatches(rule: string, host: string, port: string): boolean {
  if (rule === '*') return true;
  if (rule.includes('/')) return rangeContains(rule, host);
  const withPort = /^\[(.+)\]:(\d+)$/.exec(rule) ?? /^([^:]+):(\d+)$/.exec(rule);
  if (withPort !== null && withPort[2] !== port) return false;
  const name = (withPort?.[1] ?? rule).replace(/^\[|\]$/g, '').replace(/^\*/, '');
  if (name.startsWith('.')) return host.endsWith(name);
  return host === name || (isIP(host) === 0 && host.endsWith(`.${name}`));
}

function rangeContains(range: string, host: string): boolean {
  const [network = '', bits = ''] = range.split('/');
  const family = isIP(network);
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(network, Number(bits), type);
  return list.check(host, type);
}
