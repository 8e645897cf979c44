/** How large a Kubemark cluster is and how much happens in it. */
export interface KubemarkShape {
  readonly nodes: number;
  readonly pods: number;
  readonly services: number;
  readonly namespaces: number;
  /** Pods created a second, and as many deleted. */
  readonly podsPerSecond: number;
  readonly durationMs: number;
}

/** A kubelet renews its lease so often, and posts a status that says nothing new so often. */
export const LEASE_EVERY_MS = 10_000;
export const STATUS_EVERY_MS = 300_000;
/** A Service is touched by somebody so often. */
export const SERVICE_EVERY_MS = 600_000;

/** Official Kubemark runs have 30 pods a node at the most and churn 20 pods a second; the third is the shape of the published comparison. */
export const KUBEMARK_SHAPES = {
  'kubemark-100': { nodes: 100, pods: 800, services: 20, namespaces: 8, podsPerSecond: 5, durationMs: 30_000 },
  'kubemark-1000': { nodes: 1_000, pods: 8_000, services: 200, namespaces: 20, podsPerSecond: 20, durationMs: 30_000 },
  'kubemark-5000': { nodes: 5_000, pods: 40_000, services: 1_000, namespaces: 50, podsPerSecond: 20, durationMs: 30_000 },
  'kubemark-150k': { nodes: 5_000, pods: 150_000, services: 3_750, namespaces: 50, podsPerSecond: 20, durationMs: 30_000 },
} as const satisfies Readonly<Record<string, KubemarkShape>>;

export type KubemarkName = keyof typeof KUBEMARK_SHAPES;

/** Pods of the middle and of the small namespaces where 40,000 are in 50. */
const MIDDLE_PODS = 400;
const SMALL_PODS = 50;
const REFERENCE = { pods: 40_000, namespaces: 50 };

/**
 * Pods of each namespace: a quarter of them large, a quarter middle, half small. With 40,000 pods in 50 namespaces 2,796 or so, 400 and 50; other
 * clusters in proportion. The sum is `pods`.
 */
export function namespaceSizes({ pods, namespaces }: Pick<KubemarkShape, 'pods' | 'namespaces'>): readonly number[] {
  const scale = (pods / REFERENCE.pods) * (REFERENCE.namespaces / namespaces);
  const large = Math.max(1, Math.floor(namespaces / 4));
  const small = Math.floor(namespaces / 2);
  const sizes = Array.from({ length: namespaces }, (_, index) => {
    if (index < large) return 0;
    return Math.max(1, Math.round(scale * (index < namespaces - small ? MIDDLE_PODS : SMALL_PODS)));
  });
  const left = pods - sizes.reduce((sum, size) => sum + size, 0);
  if (left < large) throw new RangeError(`Cannot share out ${pods} pods over ${namespaces} namespaces: there must be several of them for each`);
  for (let index = 0; index < large; index++) sizes[index] = Math.floor(left / large) + (index < left % large ? 1 : 0);
  return sizes;
}

/** Services of each namespace, in proportion to its pods and at least one. The sum is `services`. */
export function servicesOf(sizes: readonly number[], services: number): readonly number[] {
  const pods = sizes.reduce((sum, size) => sum + size, 0);
  const counts = sizes.map((size) => Math.max(1, Math.floor((services * size) / pods)));
  let left = services - counts.reduce((sum, count) => sum + count, 0);
  if (left < 0 && services < sizes.length) throw new RangeError(`Cannot share out ${services} services over ${sizes.length} namespaces: each has at least one`);
  for (let index = 0; left !== 0; index = (index + 1) % counts.length) {
    const count = counts[index] ?? 0;
    if (left > 0) {
      counts[index] = count + 1;
      left--;
    } else if (count > 1) {
      counts[index] = count - 1;
      left++;
    }
  }
  return counts;
}
