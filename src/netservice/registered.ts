/** Where NetServices register themselves (specs/bcs-k8s-watch.md section 2.7): one child each, of which the data says its address. */
export const REGISTERED_UNDER = '/bcs/services/endpoints/netservice';

/** The servers among the children of a node, in the order of their registration: those that registered have a number of ten digits at their end. */
export function registrations(children: readonly string[]): readonly string[] {
  const numbered = children.filter((name) => /.[0-9]{10}$/s.test(name));
  return numbered.toSorted((a, b) => Number(a.slice(-10)) - Number(b.slice(-10)));
}

/** The address that a registration says, `http://host:port`; or what is wrong with it, as a phrase that quotes nothing of it. */
export function registeredEndpoint(data: Uint8Array): { readonly endpoint: string } | { readonly problem: string } {
  let server: unknown;
  try {
    server = JSON.parse(Buffer.from(data).toString());
  } catch {
    return { problem: `holds ${data.length} bytes that are not JSON` };
  }
  if (typeof server !== 'object' || server === null) return { problem: 'holds JSON that is no mapping' };
  const { scheme, ip, port } = server as { readonly scheme?: unknown; readonly ip?: unknown; readonly port?: unknown };
  if (scheme !== 'http' && scheme !== 'https') return { problem: 'has no scheme that is http or https' };
  if (typeof ip !== 'string' || !/^[A-Za-z0-9.:_-]+$/.test(ip)) return { problem: 'has no ip' };
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65535) return { problem: 'has no port' };
  const endpoint = `${scheme}://${ip.includes(':') ? `[${ip}]` : ip}:${port}`;
  return URL.canParse(endpoint) ? { endpoint } : { problem: 'has an ip that is none' };
}
