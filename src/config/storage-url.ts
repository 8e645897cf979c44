import { didYouMean } from './suggest.ts';

/** The engines a URL may name (design.md section 4), by scheme. Opening one that this release lacks is refused by the storage room. */
export const STORAGE_SCHEMES = ['sqlite', 'postgres', 'bcs+http', 'bcs+https', 'memory', 'null'] as const;
export type StorageScheme = (typeof STORAGE_SCHEMES)[number];

const EXAMPLES = 'sqlite:./kubefold.db, postgres://user@host/db, bcs+https://host:port, memory:, null:';

export type StorageUrlCheck = { readonly scheme: StorageScheme } | { readonly rule: string; readonly fix: string };

/** Checks the form only; nothing is opened. */
export function checkStorageUrl(url: string): StorageUrlCheck {
  const colon = url.indexOf(':');
  const scheme = colon === -1 ? '' : url.slice(0, colon);
  if (colon === -1) {
    return { rule: 'must be a storage URL', fix: `Put an engine in front, for example sqlite:${url === '' || url.includes('@') ? './kubefold.db' : url}.` };
  }
  const known = STORAGE_SCHEMES.find((name) => name === scheme);
  if (known === undefined && (/^https?$/.test(scheme) || /^[0-9]+(?:[,/]|$)/.test(url.slice(colon + 1)))) {
    const wanted = scheme === 'https' ? 'bcs+https://' : 'bcs+http://';
    const where = url.replace(/^(?:https?:\/\/|bcs\+)/, '');
    return { rule: 'must name a known storage engine before the address', fix: `For a bcs-storage write ${wanted}${redactUrl(where)}.` };
  }
  if (known === undefined) {
    const meant = scheme === 'postgresql' ? 'postgres' : didYouMean(scheme, STORAGE_SCHEMES);
    const hint = meant === null ? '' : ` Did you mean "${meant}:"?`;
    return { rule: `must name a known storage engine, not "${scheme}"`, fix: `Use one of ${EXAMPLES}.${hint}` };
  }
  const rest = url.slice(colon + 1);
  if (known === 'sqlite' && rest === '') return { rule: 'must name the database file', fix: 'For example sqlite:./kubefold.db.' };
  if ((known === 'memory' || known === 'null') && rest !== '')
    return { rule: `must be exactly "${known}:"`, fix: `This engine keeps nothing outside the process: write ${known}: alone.` };
  if (known === 'bcs+http' || known === 'bcs+https') {
    const address = parseBcsUrl(url);
    return 'rule' in address ? address : { scheme: known };
  }
  if (known === 'postgres') {
    if (!rest.startsWith('//') || !URL.canParse(url.replace(/^[a-z+]+:/, 'http:'))) return { rule: 'must name a host', fix: `Use one of ${EXAMPLES}.` };
  }
  return { scheme: known };
}

/** Where a storage service is. */
export interface BcsAddress {
  /** `http://host:port`, at least one, in the order in which they are preferred. */
  readonly origins: readonly string[];
  /** What stands before `/bcsstorage/v1` in every path: `''` or `/some/prefix`. */
  readonly prefix: string;
}

/** A name or an address, and perhaps a port; no scheme again. */
const ENDPOINT = /^(?:[^\s:/[\]]+|\[[0-9a-fA-F:.]+\])(?::[0-9]+)?$/;
const BCS_EXAMPLE = 'For example bcs+http://storage-1:50024,storage-2:50024 or bcs+https://storage.example:50024.';

/** Takes `bcs+http://h1:p,h2:p/prefix` apart. */
export function parseBcsUrl(url: string): BcsAddress | { readonly rule: string; readonly fix: string } {
  const found = /^bcs\+(https?):\/\/([^/?#]*)([^?#]*)(.*)$/s.exec(url);
  if (found === null) return { rule: 'must name a host', fix: BCS_EXAMPLE };
  const [, scheme = '', hosts = '', path = '', rest = ''] = found;
  if (rest !== '') return { rule: 'must end with its path', fix: `Leave out everything from "?" or "#" on. ${BCS_EXAMPLE}` };
  if (hosts.includes('@'))
    return {
      rule: 'must not hold a user or a password',
      fix: 'The service knows none: name a bearer token in storage.tokenFile, or a client certificate in storage.tls.',
    };
  const origins: string[] = [];
  for (const host of hosts.split(',')) {
    const text = `${scheme}://${host.trim()}`;
    if (!ENDPOINT.test(host.trim()) || !URL.canParse(text)) return { rule: `must name endpoints as HOST:PORT, not "${host.trim()}"`, fix: BCS_EXAMPLE };
    origins.push(new URL(text).origin);
  }
  if (new Set(origins).size < origins.length) return { rule: 'must name each endpoint once', fix: BCS_EXAMPLE };
  return { origins, prefix: path.replace(/\/+$/, '').replace(/\/bcsstorage\/v1$/, '') };
}

/**
 * The URL with its password, and every query value that looks like one, replaced by `***`, for print and messages.
 * Works on any text, so that a wrong URL can be quoted too; in doubt it hides more: everything up to the last `@` counts as credentials.
 */
export function redactUrl(url: string): string {
  return url
    .replace(/^([A-Za-z][A-Za-z0-9+.-]*:)(\/\/)?(.*)@/s, (_, scheme: string, slashes: string | undefined, user: string) => {
      if (slashes === undefined) return scheme === 'sqlite:' ? `${scheme}${user}@` : '***@';
      const name = user.split(':', 1)[0] ?? '';
      return `${scheme}//${name}${user.includes(':') ? ':***' : ''}@`;
    })
    .replace(/([?&][^=&#]*(?:pass|secret|token|key|pwd|credential|auth)[^=&#]*=)[^&#]*/gi, '$1***');
}
