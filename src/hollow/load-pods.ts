import type { ObjectTree, Tree } from './objects.ts';

/** How generated pods look. */
export interface PodShape {
  /** Size of the JSON without managedFields, as a mirror keeps it. Default 4,096; less than about 3,000 gives what a pod needs anyway. */
  readonly bytes?: number;
  /** About how many bytes of metadata.managedFields come on top, as on a real server: 2,800 by default, 0 for none. */
  readonly managedBytes?: number;
  readonly nodes?: number;
  readonly namespaces?: number;
  /** Unix milliseconds of the oldest pod. */
  readonly wallMs?: number;
}

/** Pods of one replica set in a row share their labels and owner. */
const PODS_PER_SET = 25;
const PADDING = 'example.com/build-notes';

const digits = (value: number, width: number): string => String(value).padStart(width, '0');
const time = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

/** A uid that belongs to a number: equal inputs give equal objects. `space` keeps kinds apart. */
export function uidOf(space: number, n: number): string {
  const mixed = Math.imul(n + 1, 0x9e3779b1) >>> 0;
  return `${mixed.toString(16).padStart(8, '0')}-${digits(space % 10_000, 4)}-4${digits(n % 1_000, 3)}-a${digits(Math.floor(n / 1_000) % 1_000, 3)}-${(n + 1).toString(16).padStart(12, '0')}`;
}

const REFERENCE_WALL_MS = Date.UTC(2026, 0, 1);

export const namespaceName = (n: number): string => `load-${digits(n, 3)}`;
export const nodeName = (n: number): string => `node-${digits(n, 5)}`;

/** The names that a pod's number stands for. */
export function podPlace(
  n: number,
  shape: PodShape = {},
): { readonly namespace: string; readonly name: string; readonly set: number; readonly app: string; readonly setName: string; readonly node: string } {
  const set = Math.floor(n / PODS_PER_SET);
  const namespace = namespaceName(set % Math.max(shape.namespaces ?? 10, 1));
  const app = `app-${digits(set, 5)}`;
  const setName = `${app}-${(0x5bd1e995 ^ set).toString(36).slice(0, 9)}`;
  return { namespace, name: `${setName}-${digits(n, 7)}`, set, app, setName, node: nodeName(n % Math.max(shape.nodes ?? 100, 1)) };
}

/** Pod number `n`: running and ready, of a replica set, with the volumes, probes and conditions a real one has. */
export function makePod(n: number, shape: PodShape = {}): ObjectTree {
  const { namespace, name, set, app, setName, node } = podPlace(n, shape);
  const wallMs = shape.wallMs ?? REFERENCE_WALL_MS;
  const created = time(wallMs + (set % 3_600) * 1_000);
  const tokenVolume = `kube-api-access-${digits(n % 100_000, 5)}`;
  const annotations: Record<string, string> = { 'kubectl.kubernetes.io/restartedAt': created, 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9090' };
  const tree: ObjectTree = {
    metadata: {
      name,
      generateName: `${setName}-`,
      namespace,
      uid: uidOf(1, n),
      generation: 1,
      creationTimestamp: created,
      labels: {
        app,
        'app.kubernetes.io/name': app,
        'app.kubernetes.io/part-of': 'load',
        'pod-template-hash': setName.slice(app.length + 1),
        tier: set % 3 === 0 ? 'frontend' : 'backend',
      },
      annotations,
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: setName, uid: uidOf(2, set), controller: true, blockOwnerDeletion: true }],
      ...(shape.managedBytes === 0
        ? {}
        : { managedFields: managedFields(set % MANAGED_TEXTS, time(wallMs + (set % MANAGED_TEXTS) * 1_000), shape.managedBytes ?? 2_800) }),
    },
    spec: {
      volumes: [
        { name: 'config', configMap: { name: `${app}-config`, defaultMode: 420 } },
        {
          name: tokenVolume,
          projected: {
            sources: [
              { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
              { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
              { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
            ],
            defaultMode: 420,
          },
        },
      ],
      containers: [
        {
          name: 'main',
          image: `registry.example.com/load/${app}:1.4.${set % 50}`,
          ports: [
            { name: 'http', containerPort: 8080, protocol: 'TCP' },
            { name: 'metrics', containerPort: 9090, protocol: 'TCP' },
          ],
          env: [
            { name: 'POD_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
            { name: 'LOG_LEVEL', value: 'info' },
            { name: 'UPSTREAM', value: `http://${app}.${namespace}.svc.cluster.local:8080` },
          ],
          resources: { limits: { cpu: '500m', memory: '256Mi' }, requests: { cpu: '100m', memory: '128Mi' } },
          volumeMounts: [
            { name: 'config', mountPath: '/etc/app' },
            { name: tokenVolume, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
          ],
          readinessProbe: {
            httpGet: { path: '/readyz', port: 'http', scheme: 'HTTP' },
            timeoutSeconds: 1,
            periodSeconds: 10,
            successThreshold: 1,
            failureThreshold: 3,
          },
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          imagePullPolicy: 'IfNotPresent',
        },
      ],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      serviceAccountName: 'default',
      nodeName: node,
      securityContext: {},
      schedulerName: 'default-scheduler',
      tolerations: [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }],
      priority: 0,
      enableServiceLinks: true,
      preemptionPolicy: 'PreemptLowerPriority',
    },
    status: podStatus(n, { phase: 'Running', ready: true, restarts: 0, wallMs: wallMs + (set % 3_600) * 1_000 }, shape),
  };
  pad(tree, annotations, shape.bytes ?? 4_096);
  return tree;
}

/** Fills up with one annotation until the JSON (kind and apiVersion, no managedFields, a revision of about seven digits) has `bytes`. */
function pad(tree: ObjectTree, annotations: Record<string, string>, bytes: number): void {
  const { managedFields: _, ...metadata } = tree.metadata ?? {};
  const now = JSON.stringify({ kind: 'Pod', apiVersion: 'v1', ...tree, metadata: { ...metadata, resourceVersion: '1234567' } }).length;
  const room = bytes - now - `,"${PADDING}":""`.length;
  if (room > 0) annotations[PADDING] = 'the quick brown fox jumps over the lazy dog '.repeat(Math.ceil(room / 44)).slice(0, room);
}

export interface PodState {
  readonly phase: 'Pending' | 'Running' | 'Succeeded';
  readonly ready: boolean;
  readonly restarts: number;
  /** When it came to be so. */
  readonly wallMs: number;
}

/** The status of pod number `n`. */
export function podStatus(n: number, { phase, ready, restarts, wallMs }: PodState, shape: PodShape = {}): Tree {
  const at = time(wallMs);
  const { app, set } = podPlace(n, shape);
  const is = (value: boolean): string => (value ? 'True' : 'False');
  const runs = phase === 'Running';
  const address = `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
  return {
    phase,
    conditions: [
      { type: 'PodReadyToStartContainers', status: is(runs), lastProbeTime: null, lastTransitionTime: at },
      { type: 'Initialized', status: 'True', lastProbeTime: null, lastTransitionTime: at },
      {
        type: 'Ready',
        status: is(ready),
        lastProbeTime: null,
        lastTransitionTime: at,
        ...(ready ? {} : { reason: 'ContainersNotReady', message: 'containers with unready status: [main]' }),
      },
      {
        type: 'ContainersReady',
        status: is(ready),
        lastProbeTime: null,
        lastTransitionTime: at,
        ...(ready ? {} : { reason: 'ContainersNotReady', message: 'containers with unready status: [main]' }),
      },
      { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: at },
    ],
    ...(runs ? { hostIP: `192.168.${(n >> 8) & 255}.${n & 255}`, podIP: address, podIPs: [{ ip: address }] } : {}),
    startTime: at,
    containerStatuses: [
      {
        name: 'main',
        state: runs
          ? { running: { startedAt: at } }
          : phase === 'Succeeded'
            ? { terminated: { exitCode: 0, reason: 'Completed', startedAt: at, finishedAt: at } }
            : { waiting: { reason: 'ContainerCreating' } },
        lastState: {},
        ready,
        restartCount: restarts,
        image: `registry.example.com/load/${app}:1.4.${set % 50}`,
        imageID: runs ? `registry.example.com/load/${app}@sha256:${uidOf(9, set).replaceAll('-', '').repeat(2)}` : '',
        ...(runs ? { containerID: `containerd://${uidOf(8, n).replaceAll('-', '').repeat(2)}` } : {}),
        started: runs,
      },
    ],
    qosClass: 'Burstable',
  };
}

/** On a real server every replica set has its own; a few are as many as a test can tell apart, and they are kept in memory as trees. */
const MANAGED_TEXTS = 100;
const managedBySet = new Map<string, readonly Tree[]>();

/** Who wrote which field, as on a real server; the same list for all pods of a set. */
function managedFields(set: number, created: string, bytes: number): Tree[] {
  const owner = uidOf(2, set);
  const id = `${owner} ${created} ${bytes}`;
  const known = managedBySet.get(id);
  if (known !== undefined) return known as Tree[];
  const leaf = (names: readonly string[]): Tree => Object.fromEntries(names.map((name) => [`f:${name}`, {}]));
  const condition = (type: string): Tree => ({ [`k:{"type":"${type}"}`]: { '.': {}, ...leaf(['lastProbeTime', 'lastTransitionTime', 'status', 'type']) } });
  const spec: Tree = {
    ...leaf(['dnsPolicy', 'enableServiceLinks', 'restartPolicy', 'schedulerName', 'securityContext', 'terminationGracePeriodSeconds']),
    'f:containers': {
      'k:{"name":"main"}': {
        '.': {},
        'f:env': { '.': {}, 'k:{"name":"LOG_LEVEL"}': { '.': {}, ...leaf(['name', 'value']) } },
        ...leaf(['image', 'imagePullPolicy', 'name']),
        'f:resources': { '.': {}, 'f:limits': { '.': {}, ...leaf(['cpu', 'memory']) } },
      },
    },
  };
  const status: Tree = {
    'f:conditions': { ...condition('ContainersReady'), ...condition('Initialized'), ...condition('PodReadyToStartContainers'), ...condition('Ready') },
    ...leaf(['containerStatuses', 'hostIP', 'phase', 'podIP', 'startTime']),
    'f:podIPs': { '.': {}, 'k:{"ip":"10.1.0.5"}': { '.': {}, ...leaf(['ip']) } },
  };
  const meta: Tree = {
    'f:generateName': {},
    'f:labels': { '.': {}, ...leaf(['app', 'pod-template-hash', 'tier']) },
    'f:ownerReferences': { '.': {}, [`k:{"uid":"${owner}"}`]: {} },
  };
  const list: Tree[] = [
    {
      manager: 'kube-controller-manager',
      operation: 'Update',
      apiVersion: 'v1',
      time: created,
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:metadata': meta, 'f:spec': spec },
    },
    {
      manager: 'kubelet',
      operation: 'Update',
      apiVersion: 'v1',
      time: created,
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:status': status },
      subresource: 'status',
    },
  ];
  const room = bytes - JSON.stringify(list).length;
  const names: string[] = [];
  for (let at = 0; at * 24 < room; at += 1) names.push(`example.com/note-${digits(at, 3)}`);
  Object.assign(meta, { 'f:annotations': { '.': {}, ...leaf(names) } });
  if (managedBySet.size >= 2 * MANAGED_TEXTS) managedBySet.clear();
  managedBySet.set(id, list);
  return list;
}
