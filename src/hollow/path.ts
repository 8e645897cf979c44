/** What a URL path of the API asks for. */
export type ApiPath =
  | {
      readonly type: 'object';
      readonly group: string;
      readonly version: string;
      readonly resource: string;
      readonly namespace: string;
      readonly name: string | null;
      readonly subresource: string | null;
    }
  | { readonly type: 'versions' }
  | { readonly type: 'groups' }
  | { readonly type: 'group'; readonly group: string }
  | { readonly type: 'resources'; readonly group: string; readonly version: string }
  | { readonly type: 'other'; readonly path: string };

/** Takes a path apart; a trailing slash means nothing. Percent escapes that are none leave the path unknown. */
export function parsePath(pathname: string): ApiPath {
  const other: ApiPath = { type: 'other', path: pathname };
  let steps: readonly string[];
  try {
    steps = pathname
      .split('/')
      .filter((step) => step !== '')
      .map(decodeURIComponent);
  } catch {
    return other;
  }
  const [root, ...rest] = steps;
  if (root === 'api') {
    if (rest.length === 0) return { type: 'versions' };
    return inVersion('', rest[0] ?? '', rest.slice(1)) ?? other;
  }
  if (root !== 'apis') return other;
  const [group, version, ...inside] = rest;
  if (group === undefined) return { type: 'groups' };
  if (version === undefined) return { type: 'group', group };
  return inVersion(group, version, inside) ?? other;
}

function inVersion(group: string, version: string, steps: readonly string[]): ApiPath | null {
  const [first, second, third, ...rest] = steps;
  if (first === undefined) return { type: 'resources', group, version };
  // `/namespaces/NS/status` is the namespace's own status, not a resource inside it.
  const isInside = first === 'namespaces' && second !== undefined && third !== undefined && !(group === '' && (third === 'status' || third === 'finalize'));
  const [namespace, resource, name, subresource, ...more] = isInside ? [second, third, ...rest] : ['', first, second, third, ...rest];
  if (resource === undefined || more.length > 0) return null;
  return { type: 'object', group, version, resource, namespace: namespace ?? '', name: name ?? null, subresource: subresource ?? null };
}
