import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { roleFor } from '../../src/config/rbac.ts';
import { compileRules } from '../../src/config/rules.ts';
import { kindsOf, manifest, manifestFiles, objectOf, ROOT } from './manifests.ts';
import type { ClusterRole, Deployment } from './manifests.ts';

const config = loadConfig({ text: manifest('kubefold.yaml'), file: 'manifests/kubefold.yaml' });
const deployment = objectOf<Deployment>('deployment.yaml');
const pod = deployment.spec.template.spec;
const container = pod.containers[0] as (typeof pod.containers)[number];

describe('the manifests', () => {
  test('are all used by the kustomization, and it names nothing else', () => {
    interface Kustomization {
      readonly resources: readonly string[];
      readonly configMapGenerator: readonly { readonly files: readonly string[] }[];
    }
    const { resources, configMapGenerator } = objectOf<Kustomization>('kustomization.yaml');
    const used = ['kustomization.yaml', ...resources, ...configMapGenerator.flatMap(({ files }) => files)];
    expect(used.toSorted()).toEqual(manifestFiles().toSorted());
  });

  test('are valid YAML, one object a file, without a key given twice', () => {
    for (const name of manifestFiles()) expect(objectOf(name), name).toBeTypeOf('object');
  });

  test('carry the configuration sample as it is', () => {
    expect(manifest('kubefold.yaml')).toBe(readFileSync(join(ROOT, 'config/operator.yaml'), 'utf8'));
  });
});

describe('the role', () => {
  const text = manifest('cluster-role.yaml');
  const role = objectOf<ClusterRole>('cluster-role.yaml');
  const kinds = kindsOf(role);
  const discovered = kinds.map(({ group, resource }) => ({
    ...{ group, resource, version: 'v1', kind: '', namespaced: true },
    ...{ singular: '', shortNames: [], categories: [] },
  }));

  test('is what kubefold rbac prints for the shipped configuration and the kinds it names', () => {
    expect(kinds.length).toBeGreaterThan(40);
    expect(text).toBe(roleFor(discovered, compileRules(config)));
  });

  test('gives neither Secrets, nor a wildcard, nor a verb that writes', () => {
    expect(kinds.filter(({ group, resource }) => resource === 'secrets' || resource.includes('/') || `${group}${resource}`.includes('*'))).toEqual([]);
    expect([...new Set(role.rules.flatMap(({ verbs }) => verbs))].toSorted()).toEqual(['get', 'list', 'watch']);
  });

  test('is bound to the service account of the pod', () => {
    expect(objectOf('cluster-role-binding.yaml')).toMatchObject({
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role.metadata.name },
      subjects: [{ kind: 'ServiceAccount', name: pod.serviceAccountName, namespace: 'kubefold-system' }],
    });
    expect(objectOf('service-account.yaml')).toMatchObject({ metadata: { name: pod.serviceAccountName, namespace: 'kubefold-system' } });
  });
});

describe('the Deployment', () => {
  const mounted = (path: string): string | undefined => container.volumeMounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`))?.name;
  const volume = (name: string | undefined) => pod.volumes.find((candidate) => candidate.name === name);

  test('never runs two writers of one SQLite file', () => {
    expect([deployment.spec.replicas, deployment.spec.strategy.type]).toEqual([1, 'Recreate']);
    expect(deployment.spec.template.metadata.labels).toMatchObject(deployment.spec.selector.matchLabels);
  });

  test('is given longer to end than kubefold takes', () => {
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(config.shutdown.graceSeconds);
  });

  test('reads the ConfigMap as a whole folder, so that changes arrive', () => {
    expect(container.args.slice(0, 2)).toEqual(['run', '--config']);
    const file = container.args[2] ?? '';
    expect(file.endsWith('/kubefold.yaml')).toBe(true);
    expect(volume(mounted(file))?.configMap).toEqual({ name: 'kubefold' });
    expect(container.volumeMounts.filter(({ subPath }) => subPath !== undefined)).toEqual([]);
  });

  test('writes the copy onto the volume', () => {
    expect(config.storage.url).toMatch(/^sqlite:\//);
    expect(volume(mounted(config.storage.url.slice('sqlite:'.length)))?.persistentVolumeClaim).toEqual({ claimName: 'kubefold' });
    expect(objectOf('volume-claim.yaml')).toMatchObject({ metadata: { name: 'kubefold' } });
  });
});
