import type { ObjectTree, Tree } from './objects.ts';

interface ReviewRules {
  readonly tokens: ReadonlyMap<string, string> | null;
  readonly forbidden: ReadonlySet<string>;
  readonly readers: ReadonlyMap<string, readonly string[]>;
}

interface ReviewPath {
  readonly group: string;
  readonly resource: string;
  readonly name: string | null;
}

/**
 * TokenReview, SubjectAccessReview and SelfSubjectAccessReview: known tokens are their users, and everything is allowed that is not
 * switched off, or is a path outside of a reader's list. Null when the path is none of them.
 */
export function review(path: ReviewPath, body: () => Promise<unknown>, rules: ReviewRules): Promise<Tree> | null {
  if (path.name !== null) return null;
  if (path.group === 'authentication.k8s.io' && path.resource === 'tokenreviews') return answer(body, (spec) => tokenStatus(spec, rules));
  if (path.group === 'authorization.k8s.io' && /^(self)?subjectaccessreviews$/.test(path.resource)) return answer(body, (spec) => accessStatus(spec, rules));
  return null;
}

async function answer(body: () => Promise<unknown>, status: (spec: Tree) => Tree): Promise<Tree> {
  const tree = ((await body()) ?? {}) as ObjectTree;
  return { ...tree, metadata: tree.metadata ?? {}, status: status((tree.spec ?? {}) as Tree) };
}

function tokenStatus(spec: Tree, { tokens }: ReviewRules): Tree {
  const username = tokens?.get(String(spec['token'] ?? ''));
  return username === undefined
    ? { authenticated: false, user: {}, error: 'invalid bearer token' }
    : { authenticated: true, user: { username, groups: ['system:authenticated'] } };
}

function accessStatus(spec: Tree, { forbidden, readers }: ReviewRules): Tree {
  if (spec['nonResourceAttributes'] !== undefined) {
    const { verb, path } = spec['nonResourceAttributes'] as { readonly verb?: string; readonly path?: string };
    return { allowed: readers.get(String(spec['user']))?.includes(`${verb} ${path}`) !== false };
  }
  const { group, resource } = (spec['resourceAttributes'] ?? {}) as { readonly group?: string; readonly resource?: string };
  const id = group === undefined || group === '' ? (resource ?? '') : `${resource}.${group}`;
  return forbidden.has(id) ? { allowed: false, reason: 'switched off in the hollow cluster' } : { allowed: true };
}
