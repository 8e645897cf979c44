import type { ControlPlane } from '../../cluster/control-plane.ts';
import { until } from '../../support/until.ts';

/** A CRD of the group demo.example.com with these versions, the first of which is stored. */
export function crd(plural: string, kind: string, options: { readonly scope: 'Namespaced' | 'Cluster'; readonly versions: readonly string[] }): object {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.demo.example.com` },
    spec: {
      group: 'demo.example.com',
      scope: options.scope,
      names: { plural, singular: kind.toLowerCase(), kind },
      versions: options.versions.map((name, i) => ({ name, served: true, storage: i === 0, schema })),
    },
  };
}

export async function applyCrd(plane: ControlPlane, definition: object): Promise<void> {
  await apply(plane, [definition]);
  const { name } = (definition as { readonly metadata: { readonly name: string } }).metadata;
  await plane.kubectl(['wait', '--for=condition=Established', `crd/${name}`, '--timeout=30s']);
}

export async function apply(plane: ControlPlane, objects: readonly object[]): Promise<void> {
  await plane.kubectl(['create', '--save-config=false', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
}

export function configMap(name: string, data: Readonly<Record<string, string>>, namespace = 'default'): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data };
}

/**
 * With `graceSeconds: 0` its pods go at once when they are deleted, else first they are marked and some seconds later they go:
 * kwok ends about 5 a second, so many are better without.
 */
export function deployment(
  name: string,
  replicas: number,
  options: { readonly namespace?: string; readonly image?: string; readonly graceSeconds: number },
): object {
  const { namespace = 'default', image = 'none', graceSeconds: terminationGracePeriodSeconds } = options;
  const template = { metadata: { labels: { app: name } }, spec: { terminationGracePeriodSeconds, containers: [{ name: 'c', image }] } };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace }, spec: { replicas, selector: { matchLabels: { app: name } }, template } };
}

/** Until `count` pods with the label `app=NAME` run and no other of them is left. */
export async function podsRun(plane: ControlPlane, app: string, count: number, namespace = 'default'): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/pods?labelSelector=app%3D${app}`;
  await until(
    `${count} pods of ${app} run`,
    async () => {
      const { items } = await plane.apiOk<{ readonly items: readonly { readonly metadata: object; readonly status: { readonly phase?: string } }[] }>(path);
      const running = items.filter((pod) => pod.status.phase === 'Running' && !('deletionTimestamp' in pod.metadata));
      if (items.length !== count || running.length !== count) throw new Error(`${items.length} pods, ${running.length} of them running`);
      return true;
    },
    { withinMs: 120_000, everyMs: 500 },
  );
}

/** One object of most built-in kinds that nobody else makes, and two custom ones; with names and bodies that are not the usual. */
export async function populate(plane: ControlPlane): Promise<void> {
  await applyCrd(plane, crd('islands', 'Island', { scope: 'Cluster', versions: ['v1'] }));
  await applyCrd(plane, crd('boats', 'Boat', { scope: 'Namespaced', versions: ['v1'] }));
  const container = { name: 'c', image: 'none' };
  const template = { metadata: { labels: { app: 'ground' } }, spec: { restartPolicy: 'Never', containers: [container] } };
  const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'ground:a:role' };
  const webhook = {
    name: 'ground.example.com',
    clientConfig: { url: 'https://127.0.0.1:1/none' },
    rules: [{ apiGroups: ['none.example.com'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['nothing'] }],
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    failurePolicy: 'Ignore',
  };
  const named = (apiVersion: string, kind: string, rest: object, name = 'ground'): object => ({ apiVersion, kind, metadata: { name }, ...rest });
  await apply(plane, [
    named('v1', 'Namespace', {}, 'ground'),
    configMap('unusual', { 'text.json': '{"metadata":{"name":"not me"}}', umlauts: 'äöü € 😀 \u2028 \\ " \u0007', empty: '' }),
    configMap('large', { filler: 'ä'.repeat(450_000) }),
    configMap(`n${'a'.repeat(252)}`, { long: 'name' }),
    named('v1', 'Secret', { stringData: { password: 'must not be stored' } }),
    named('v1', 'Service', { spec: { selector: { app: 'ground' }, ports: [{ port: 80 }] } }),
    named('v1', 'ServiceAccount', {}, 'ground.account'),
    named('v1', 'ResourceQuota', { spec: { hard: { pods: '1000' } } }),
    named('v1', 'LimitRange', { spec: { limits: [{ type: 'PersistentVolumeClaim', max: { storage: '9Gi' } }] } }),
    named('v1', 'PodTemplate', { template }),
    named('v1', 'ReplicationController', {
      spec: { replicas: 1, selector: { app: 'rc' }, template: { ...template, metadata: { labels: { app: 'rc' } }, spec: { containers: [container] } } },
    }),
    named('v1', 'PersistentVolume', {
      spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/none' }, storageClassName: 'none' },
    }),
    named('v1', 'PersistentVolumeClaim', { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, storageClassName: 'none' } }),
    deployment('d', 3, { graceSeconds: 30 }),
    named('apps/v1', 'StatefulSet', {
      spec: {
        replicas: 2,
        serviceName: 'ground',
        selector: { matchLabels: { app: 's' } },
        template: { metadata: { labels: { app: 's' } }, spec: { containers: [container] } },
      },
    }),
    named('apps/v1', 'DaemonSet', {
      spec: { selector: { matchLabels: { app: 'ds' } }, template: { metadata: { labels: { app: 'ds' } }, spec: { containers: [container] } } },
    }),
    named('batch/v1', 'Job', { spec: { template } }),
    named('batch/v1', 'CronJob', { spec: { schedule: '0 0 1 1 *', jobTemplate: { spec: { template } } } }),
    named('autoscaling/v2', 'HorizontalPodAutoscaler', {
      spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'nobody' }, maxReplicas: 3 },
    }),
    named('policy/v1', 'PodDisruptionBudget', { spec: { minAvailable: 1, selector: { matchLabels: { app: 'd' } } } }),
    named('networking.k8s.io/v1', 'NetworkPolicy', { spec: { podSelector: {} } }),
    named('networking.k8s.io/v1', 'Ingress', { spec: { defaultBackend: { service: { name: 'ground', port: { number: 80 } } } } }),
    named('networking.k8s.io/v1', 'IngressClass', { spec: { controller: 'example.com/none' } }),
    named('storage.k8s.io/v1', 'StorageClass', { provisioner: 'example.com/none' }),
    named('scheduling.k8s.io/v1', 'PriorityClass', { value: 10 }),
    named('node.k8s.io/v1', 'RuntimeClass', { handler: 'none' }),
    named('coordination.k8s.io/v1', 'Lease', { spec: { holderIdentity: 'nobody' } }),
    named('rbac.authorization.k8s.io/v1', 'ClusterRole', { rules }, 'ground:a:role'),
    named('rbac.authorization.k8s.io/v1', 'Role', { rules }, 'ground:role'),
    named(
      'rbac.authorization.k8s.io/v1',
      'ClusterRoleBinding',
      { roleRef, subjects: [{ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'no:body' }] },
      'ground:a:binding',
    ),
    named('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration', { webhooks: [webhook] }),
    named('admissionregistration.k8s.io/v1', 'MutatingWebhookConfiguration', { webhooks: [webhook] }),
    named('certificates.k8s.io/v1', 'CertificateSigningRequest', { spec: { request: CSR, signerName: 'example.com/none', usages: ['client auth'] } }),
    // Sorts before metadata, and looks like it.
    named('demo.example.com/v1', 'Island', { data: { metadata: { name: 'not me' } }, entries: [1, 1.5, 1e21, true, null], spec: { deep: [[[[[{}]]]]] } }),
    named('demo.example.com/v1', 'Boat', { spec: { '': 'empty key', 'with "quotes"': '\u2029' } }),
  ]);
  await podsRun(plane, 'd', 3);
  await podsRun(plane, 's', 2);
}

/** A request of a throw-away key; nobody signs it. */
const CSR =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlITU1ITUNBUUF3RVRFUE1BMEdBMVVFQXd3R2JtOWliMlI1TUZrd0V3WUhLb1pJemowQ0FRWUlLb1pJemowRApBUWNEUWdBRWtqS0hNSzhZbXdDL0Z6aVJtWUFNYndqRStMZzd3SVlibURZRjNoN2E4ZTRZTlVzcm91bWpScXhSCmsrRmpRdGFZOXM4ajFENGp4b09ZQURmR1BYdE1xS0FBTUFvR0NDcUdTTTQ5QkFNQ0Ewa0FNRVlDSVFDTEtPUEUKalpPTlFpTzFvL3JkWFVmL0ZqeEowNkxlWndEMkJxWjdNMW1YWWdJaEFJdUpPMXYxWWtBNmdSc3l5akNFdUZ2TQo1Y1dDcWRtbUJTUlYzRnhUZzllbwotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K';
