import type { Config } from './schema.ts';

/** What the copy calls the cluster: as configured, else the kubeconfig context's name made fit for storage keys and addresses. */
export function clusterNameFrom(config: Config, contextName: string): string {
  if (config.cluster.name !== null) return config.cluster.name;
  const name = contextName
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .slice(0, 253)
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
  return name === '' ? 'default' : name;
}
