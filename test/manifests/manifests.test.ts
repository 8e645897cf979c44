import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseByteSize } from '../../src/config/byte-size.ts';
import { loadConfig } from '../../src/config/load.ts';
import { podRoleFor, roleFor } from '../../src/config/rbac.ts';
import { compileRules } from '../../src/config/rules.ts';
import { COMPONENTS, filesOf, kindsOf, manifest, MANIFESTS, objectOf, OVERLAYS, ROOT } from './manifests.ts';
import type { ClusterRole, Deployment, Kustomization } from './manifests.ts';

const config = loadConfig({ text: manifest('base/kubefold.yaml'), file: 'manifests/base/kubefold.yaml' });
const deployment = objectOf<Deployment>('base/deployment.yaml');
const pod = deployment.spec.template.spec;
const container = pod.containers[0] as (typeof pod.containers)[number];
const configured = ['base', ...OVERLAYS].filter((folder) => existsSync(join(MANIFESTS, folder, 'kubefold.yaml')));

describe('the manifests', () => {
  test.each(['base', ...OVERLAYS, ...COMPONENTS])('the kustomization of %s uses every file beside it, and names nothing else', (folder) => {
    const { resources = [], configMapGenerator = [], patches = [] } = objectOf<Kustomization>(`${folder}/kustomization.yaml`);
    const named = [...resources, ...configMapGenerator.flatMap(({ files }) => files), ...patches.map(({ path }) => path)];
    const used = ['kustomization.yaml', ...named.filter((path) => !path.startsWith('../'))];
    expect(used.toSorted()).toEqual(filesOf(folder).toSorted());
    for (const path of named) expect(existsSync(join(MANIFESTS, folder, path)), path).toBe(true);
  });

  test('what the folder itself installs is the overlay that needs nothing else', () => {
    expect(filesOf('.')).toEqual(['kustomization.yaml']);
    expect(objectOf<Kustomization>('kustomization.yaml').resources).toEqual(['overlays/sqlite']);
  });

  test('are valid YAML, one object a file, without a key given twice', () => {
    for (const folder of ['.', 'base', ...OVERLAYS, ...COMPONENTS]) {
      for (const name of filesOf(folder)) expect(objectOf(join(folder, name)), name).toBeTypeOf('object');
    }
  });

  test('carry the configuration sample as it is', () => {
    expect(manifest('base/kubefold.yaml')).toBe(readFileSync(join(ROOT, 'config/operator.yaml'), 'utf8'));
  });

  test('install the image of this version', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly version: string };
    expect(objectOf('base/kustomization.yaml')).toMatchObject({ images: [{ name: container.image, newTag: version }] });
  });

  test('name only folders that exist in the comment that says how to install', () => {
    const named = [...manifest('kustomization.yaml').matchAll(/\b((?:base|overlays|components|image|monitoring)\/[\w./-]*\w)/g)].map(([path]) => path);
    expect(named.length).toBeGreaterThan(5);
    for (const path of named) expect(existsSync(join(MANIFESTS, path)), path).toBe(true);
  });
});

describe('the role', () => {
  const text = manifest('base/cluster-role.yaml');
  const role = objectOf<ClusterRole>('base/cluster-role.yaml');
  const kinds = kindsOf(role);
  const discovered = kinds.map(({ group, resource }) => ({
    ...{ group, resource, version: 'v1', kind: '', namespaced: true },
    ...{ singular: '', shortNames: [], categories: [] },
  }));

  test.each(configured)('is what kubefold rbac prints for the configuration of %s and the kinds it names', (folder) => {
    expect(kinds.length).toBeGreaterThan(40);
    const rules = compileRules(loadConfig({ text: manifest(`${folder}/kubefold.yaml`), file: `${folder}/kubefold.yaml` }));
    expect(text).toBe(roleFor(discovered, rules));
  });

  test.each(['base', 'overlays/bcs-http'])('of the pod in %s is what kubefold rbac --in-pod prints for its configuration', (folder) => {
    const { leaderElection } = loadConfig({ text: manifest(`${folder}/kubefold.yaml`), file: `${folder}/kubefold.yaml` });
    expect(manifest(`${folder}/role.yaml`)).toBe(podRoleFor(leaderElection, { name: 'kubefold' }));
    expect(leaderElection.enabled).toBe(folder !== 'base');
  });

  test('of the pod is bound to its service account', () => {
    expect(objectOf('base/role-binding.yaml')).toMatchObject({
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: objectOf<ClusterRole>('base/role.yaml').metadata.name },
      subjects: [{ kind: 'ServiceAccount', name: pod.serviceAccountName, namespace: 'kubefold-system' }],
    });
  });

  test('gives neither Secrets, nor a wildcard, nor a verb that writes', () => {
    expect(kinds.filter(({ group, resource }) => resource === 'secrets' || resource.includes('/') || `${group}${resource}`.includes('*'))).toEqual([]);
    expect([...new Set(role.rules.flatMap(({ verbs }) => verbs))].toSorted()).toEqual(['get', 'list', 'watch']);
  });

  test('is bound to the service account of the pod', () => {
    expect(objectOf('base/cluster-role-binding.yaml')).toMatchObject({
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role.metadata.name },
      subjects: [{ kind: 'ServiceAccount', name: pod.serviceAccountName, namespace: 'kubefold-system' }],
    });
    expect(objectOf('base/service-account.yaml')).toMatchObject({ metadata: { name: pod.serviceAccountName, namespace: 'kubefold-system' } });
  });
});

describe('the Deployment', () => {
  const mounted = (path: string): string | undefined => container.volumeMounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`))?.name;
  const volume = (name: string | undefined) => pod.volumes.find((candidate) => candidate.name === name);

  test('never runs two writers of one SQLite file', () => {
    expect([deployment.spec.replicas, deployment.spec.strategy.type]).toEqual([1, 'Recreate']);
    expect(deployment.spec.template.metadata.labels).toMatchObject(deployment.spec.selector.matchLabels);
  });

  test('has several replicas only where the configuration has them elect, and a new one is ready before an old one ends', () => {
    for (const folder of configured) {
      const { leaderElection } = loadConfig({ text: manifest(`${folder}/kubefold.yaml`), file: `${folder}/kubefold.yaml` });
      const patch = existsSync(join(MANIFESTS, folder, 'replicas.yaml')) ? objectOf<Deployment>(`${folder}/replicas.yaml`).spec : deployment.spec;
      expect(patch, folder).toMatchObject(
        leaderElection.enabled
          ? { replicas: 2, strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0 } } }
          : { replicas: 1, strategy: { type: 'Recreate' } },
      );
    }
  });

  test.each(configured)('is given longer to end than kubefold takes with the configuration of %s', (folder) => {
    const { shutdown } = loadConfig({ text: manifest(`${folder}/kubefold.yaml`), file: `${folder}/kubefold.yaml` });
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(shutdown.graceSeconds);
  });

  test('reads the ConfigMap as a whole folder, so that changes arrive', () => {
    expect(container.args.slice(0, 2)).toEqual(['run', '--config']);
    const file = container.args[2] ?? '';
    expect(file.endsWith('/kubefold.yaml')).toBe(true);
    expect(volume(mounted(file))?.configMap).toEqual({ name: 'kubefold' });
    expect(container.volumeMounts.filter(({ subPath }) => subPath !== undefined)).toEqual([]);
  });

  test('writes the copy into the folder for which an overlay brings a volume', () => {
    expect(config.storage.url).toMatch(/^sqlite:\//);
    const name = mounted(config.storage.url.slice('sqlite:'.length));
    expect(volume(name)?.emptyDir).toBeDefined();
    const patch = objectOf<Deployment>('overlays/sqlite/data.yaml').spec.template.spec.volumes;
    expect(patch).toEqual([{ name, emptyDir: null, persistentVolumeClaim: { claimName: 'kubefold' } }]);
    expect(objectOf('overlays/sqlite/volume-claim.yaml')).toMatchObject({ metadata: { name: 'kubefold' } });
  });

  test('may use as much of the node as its folders are allowed to grow', () => {
    const bytes = (text: string): number => parseByteSize(`${text}B`) ?? Number.NaN;
    const folders = pod.volumes.flatMap(({ emptyDir }) => (emptyDir ? [bytes(emptyDir.sizeLimit)] : []));
    expect(folders).toHaveLength(2);
    expect(folders.reduce((sum, size) => sum + size, 0)).toBeLessThan(bytes(container.resources.limits['ephemeral-storage'] ?? ''));
  });

  test('says which pod it is, for what kubefold tells about that pod', () => {
    expect(container.env.map(({ name }) => name)).toEqual(['POD_NAME', 'POD_NAMESPACE', 'POD_UID']);
  });
});

describe('the overlay for the service of bcs-k8s-watch', () => {
  interface Policy {
    readonly value: { readonly ports: readonly { readonly protocol: string; readonly port: number }[] };
  }

  test('lets the pod out to the port that its configuration names, and to the files that the comments name', () => {
    const text = manifest('overlays/bcs-http/kubefold.yaml');
    const { storage } = loadConfig({ text, file: 'kubefold.yaml' });
    const [patch] = objectOf<readonly Policy[]>('overlays/bcs-http/storage-egress.yaml');
    expect(patch?.value.ports).toEqual([{ protocol: 'TCP', port: Number(new URL(storage.url.replace(/^bcs\+/, '')).port) }]);
    // With the lines that are commented out the configuration is valid too, and names the mounted folder.
    const whole = loadConfig({ text: text.replace(/^ {2}# (?=tls:|tokenFile:|(?: {2}\w+File:))/gm, '  '), file: 'kubefold.yaml' }).storage;
    expect([whole.tls.caFile, whole.tls.certFile, whole.tls.keyFile, whole.tokenFile].map((path) => path?.split('/').slice(0, -1).join('/'))).toEqual(
      Array.from({ length: 4 }, () => '/etc/kubefold-storage'),
    );
  });
});

test('the lines that the serving component asks for are a valid configuration of the mounted files', () => {
  const steps = manifest('components/serving/kustomization.yaml');
  const lines = [...steps.matchAll(/^# {8}((?:listen|tls|auth): .*)$/gm)].map(([, line]) => line);
  expect(lines).toHaveLength(3);
  const { listen, tls, auth } = loadConfig({ text: `${manifest('base/kubefold.yaml')}\n${lines.join('\n')}\n`, file: 'kubefold.yaml' });
  const patch = objectOf<Deployment>('components/serving/pod.yaml').spec.template.spec;
  const folder = patch.containers[0]?.volumeMounts[0]?.mountPath;
  expect([tls.certFile, tls.keyFile, auth]).toEqual([`${folder}/tls.crt`, `${folder}/tls.key`, { tokenReview: true, tokenFile: null }]);
  expect(patch.containers[0]).toMatchObject({ ports: [{ name: 'https', containerPort: Number(listen.split(':')[1]) }] });
});

test('the serving component adds to the role what kubefold rbac adds for its configuration, and its roles name paths that are served', async () => {
  const rules = compileRules(loadConfig({ text: manifest('base/kubefold.yaml'), file: 'kubefold.yaml' }));
  const rulesOf = (tokenReview: boolean): readonly string[] =>
    (parse(roleFor(null, rules, { name: 'kubefold', tokenReview })) as ClusterRole).rules.map((rule) => JSON.stringify(rule));
  const added = objectOf<readonly { readonly op: string; readonly path: string; readonly value: object }[]>('components/serving/cluster-role.yaml');
  expect(added.map(({ op, path }) => `${op} ${path}`)).toEqual(['add /rules/-', 'add /rules/-']);
  expect(added.map(({ value }) => JSON.stringify(value))).toEqual(rulesOf(true).filter((rule) => !rulesOf(false).includes(rule)));
  const web = readFileSync(join(ROOT, 'src/web/server.ts'), 'utf8') + readFileSync(join(ROOT, 'src/web/control.ts'), 'utf8');
  for (const name of ['metrics-reader', 'operator']) {
    const paths = objectOf<ClusterRole>(`components/serving/${name}.yaml`).rules.flatMap(({ nonResourceURLs = [] }) => nonResourceURLs);
    expect(paths.filter((path) => !web.includes(`'${path}'`))).toEqual([]);
  }
});
