import { describe, expect, test } from 'vitest';
import { builtinColumns } from '../../src/read/columns.ts';
import { TableWriter } from '../../src/read/table.ts';
import type { Tree } from '../../src/read/tree.ts';

function laidOut(rows: readonly (readonly string[])[]): { readonly lines: readonly string[]; readonly writes: number } {
  let [text, writes] = ['', 0];
  const table = new TableWriter((more) => {
    text += more;
    writes++;
  });
  for (const row of rows) table.push(row);
  table.end();
  return { lines: text.split('\n').slice(0, -1), writes };
}

test('columns are as wide as their longest cell and three blanks, the last one is not padded', () => {
  expect(
    laidOut([
      ['NAME', 'AGE'],
      ['web-0', '5m'],
      ['a', '12s'],
    ]).lines,
  ).toEqual(['NAME    AGE', 'web-0   5m', 'a       12s']);
});

test('no column is narrower than six', () => {
  expect(
    laidOut([
      ['A', 'B', 'C'],
      ['1', '', '3'],
    ]).lines,
  ).toEqual(['A     B     C', '1           3']);
});

test('rows behind the measured ones are written at once and keep the gap when they are longer', () => {
  const rows = Array.from({ length: 600 }, (_, index) => [index === 599 ? 'much-longer' : 'a', 'x']);
  const { lines, writes } = laidOut(rows);
  expect(lines).toHaveLength(600);
  expect(lines[0]).toBe('a     x');
  expect(lines[599]).toBe('much-longer   x');
  expect(writes).toBe(1 + 600 - 501);
});

test('an empty table writes nothing', () => {
  expect(laidOut([])).toEqual({ lines: [], writes: 0 });
});

test('a cell cannot steer the terminal, and ends at its first line break', () => {
  expect(
    laidOut([
      ['\u001b[31mred', 'x'],
      ['two\nlines', 'y'],
      ['\u009b1m', 'z'],
    ]).lines,
  ).toEqual(['^[[31mred   x', 'two...      y', '\u{fffd}1m         z']);
});

test('widths count characters, not bytes or halves of them', () => {
  expect(
    laidOut([
      ['äöüäöüäöü', 'x'],
      ['🙂🙂🙂🙂', 'y'],
    ]).lines,
  ).toEqual(['äöüäöüäöü   x', '🙂🙂🙂🙂        y']);
});

const NOW = Date.UTC(2026, 0, 1);
const CREATED = '2025-12-31T23:00:00Z';

/** The cells of one object; those of wide columns behind a bar. */
function cells(kind: string, object: Tree, isWide = false): string {
  const shown = builtinColumns(kind).filter((column) => isWide || !column.isWide);
  return shown
    .map((column) => `${column.title}=${column.cell({ metadata: { name: 'x', creationTimestamp: CREATED }, ...object }, { nowMs: NOW, isWide })}`)
    .join('|');
}

describe('columns of built-in kinds', () => {
  test.each<[string, Tree, string]>([
    [
      'deployments.apps',
      { spec: { replicas: 3 }, status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 2 } },
      'NAME=x|READY=2/3|UP-TO-DATE=3|AVAILABLE=2|AGE=60m',
    ],
    ['deployments.apps', { spec: { replicas: 0 }, status: {} }, 'NAME=x|READY=0/0|UP-TO-DATE=0|AVAILABLE=0|AGE=60m'],
    ['replicasets.apps', { spec: { replicas: 3 }, status: { replicas: 2, readyReplicas: 1 } }, 'NAME=x|DESIRED=3|CURRENT=2|READY=1|AGE=60m'],
    ['statefulsets.apps', { spec: { replicas: 3 }, status: { readyReplicas: 3 } }, 'NAME=x|READY=3/3|AGE=60m'],
    [
      'daemonsets.apps',
      {
        spec: { template: { spec: { nodeSelector: { b: '2', a: '1' } } } },
        status: { desiredNumberScheduled: 5, currentNumberScheduled: 4, numberReady: 3, updatedNumberScheduled: 2, numberAvailable: 1 },
      },
      'NAME=x|DESIRED=5|CURRENT=4|READY=3|UP-TO-DATE=2|AVAILABLE=1|NODE SELECTOR=a=1,b=2|AGE=60m',
    ],
    [
      'services',
      {
        spec: {
          type: 'NodePort',
          clusterIP: '10.0.0.1',
          clusterIPs: ['10.0.0.1'],
          ports: [
            { port: 80, nodePort: 30080, protocol: 'TCP' },
            { port: 53, protocol: 'UDP' },
          ],
        },
      },
      'NAME=x|TYPE=NodePort|CLUSTER-IP=10.0.0.1|EXTERNAL-IP=<none>|PORT(S)=80:30080/TCP,53/UDP|AGE=60m',
    ],
    [
      'services',
      { spec: { type: 'LoadBalancer', clusterIP: 'None' } },
      'NAME=x|TYPE=LoadBalancer|CLUSTER-IP=None|EXTERNAL-IP=<pending>|PORT(S)=<none>|AGE=60m',
    ],
    [
      'services',
      { spec: { type: 'LoadBalancer' }, status: { loadBalancer: { ingress: [{ hostname: 'a-long-name.example.com' }] } } },
      'NAME=x|TYPE=LoadBalancer|CLUSTER-IP=<none>|EXTERNAL-IP=a-long-name.e...|PORT(S)=<none>|AGE=60m',
    ],
    [
      'services',
      { spec: { type: 'ExternalName', externalName: 'db.example' } },
      'NAME=x|TYPE=ExternalName|CLUSTER-IP=<none>|EXTERNAL-IP=db.example|PORT(S)=<none>|AGE=60m',
    ],
    [
      'nodes',
      {
        metadata: { name: 'n', creationTimestamp: CREATED, labels: { 'node-role.kubernetes.io/worker': '', 'node-role.kubernetes.io/control-plane': '' } },
        spec: { unschedulable: true },
        status: { conditions: [{ type: 'Ready', status: 'False' }], nodeInfo: { kubeletVersion: 'v1.36.3' } },
      },
      'NAME=n|STATUS=NotReady,SchedulingDisabled|ROLES=control-plane,worker|AGE=60m|VERSION=v1.36.3',
    ],
    ['nodes', {}, 'NAME=x|STATUS=Unknown|ROLES=<none>|AGE=60m|VERSION='],
    ['namespaces', { status: { phase: 'Active' } }, 'NAME=x|STATUS=Active|AGE=60m'],
    ['configmaps', { data: { a: '', b: '' }, binaryData: { c: '' } }, 'NAME=x|DATA=3|AGE=60m'],
    ['secrets', { type: 'Opaque', data: { a: '' } }, 'NAME=x|TYPE=Opaque|DATA=1|AGE=60m'],
    [
      'events',
      { lastTimestamp: '2025-12-31T23:58:46Z', type: 'Warning', reason: 'BackOff', involvedObject: { kind: 'Pod', name: 'web-0' }, message: ' restarting\n' },
      'LAST SEEN=74s|TYPE=Warning|REASON=BackOff|OBJECT=pod/web-0|MESSAGE=restarting',
    ],
    [
      'events.events.k8s.io',
      {
        eventTime: '2025-12-31T23:50:00.000000Z',
        deprecatedLastTimestamp: null,
        type: 'Normal',
        reason: 'Scheduled',
        regarding: { kind: 'Node', name: 'n1' },
        note: 'done',
      },
      'LAST SEEN=10m|TYPE=Normal|REASON=Scheduled|OBJECT=node/n1|MESSAGE=done',
    ],
    ['jobs.batch', { spec: { completions: 3 }, status: { succeeded: 1, startTime: CREATED } }, 'NAME=x|STATUS=Running|COMPLETIONS=1/3|DURATION=60m|AGE=60m'],
    [
      'jobs.batch',
      {
        spec: { parallelism: 4 },
        status: { succeeded: 1, startTime: CREATED, completionTime: '2025-12-31T23:01:14Z', conditions: [{ type: 'Complete', status: 'True' }] },
      },
      'NAME=x|STATUS=Complete|COMPLETIONS=1/1 of 4|DURATION=74s|AGE=60m',
    ],
    [
      'cronjobs.batch',
      { spec: { schedule: '*/5 * * * *', suspend: false }, status: { active: [{}] } },
      'NAME=x|SCHEDULE=*/5 * * * *|TIMEZONE=<none>|SUSPEND=False|ACTIVE=1|LAST SCHEDULE=<none>|AGE=60m',
    ],
    [
      'persistentvolumeclaims',
      {
        spec: { volumeName: 'pv1', storageClassName: 'fast' },
        status: { phase: 'Bound', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce', 'ReadOnlyMany'] },
      },
      'NAME=x|STATUS=Bound|VOLUME=pv1|CAPACITY=1Gi|ACCESS MODES=RWO,ROX|STORAGECLASS=fast|VOLUMEATTRIBUTESCLASS=<unset>|AGE=60m',
    ],
    [
      'persistentvolumes',
      { spec: { claimRef: { namespace: 'a', name: 'b' }, capacity: { storage: '1Gi' } }, status: { phase: 'Bound' } },
      'NAME=x|CAPACITY=1Gi|ACCESS MODES=|RECLAIM POLICY=|STATUS=Bound|CLAIM=a/b|STORAGECLASS=|VOLUMEATTRIBUTESCLASS=<unset>|REASON=|AGE=60m',
    ],
    [
      'ingresses.networking.k8s.io',
      { spec: { rules: [{ host: 'a' }, { host: 'b' }, { host: 'c' }, { host: 'd' }], tls: [{}] } },
      'NAME=x|CLASS=<none>|HOSTS=a,b,c + 1 more...|ADDRESS=|PORTS=80, 443|AGE=60m',
    ],
    ['roles.rbac.authorization.k8s.io', {}, 'NAME=x|AGE=60m'],
    ['toString', {}, 'NAME=x|AGE=60m'],
  ])('%s (%#) are those of kubectl', (kind, object, expected) => {
    expect(cells(kind, object)).toBe(expected);
  });

  test('wide tables show where a pod is, and what a workload runs', () => {
    expect(cells('pods', { spec: { nodeName: 'n1' }, status: { podIP: '10.1.0.5' } }, true)).toMatch(
      /\|IP=10\.1\.0\.5\|NODE=n1\|NOMINATED NODE=<none>\|READINESS GATES=<none>$/,
    );
    const spec = {
      selector: {
        matchLabels: { app: 'web' },
        matchExpressions: [
          { key: 'tier', operator: 'In', values: ['b', 'a'] },
          { key: 'old', operator: 'DoesNotExist' },
        ],
      },
      template: {
        spec: {
          containers: [
            { name: 'a', image: 'a:1' },
            { name: 'b', image: 'b:2' },
          ],
        },
      },
    };
    expect(cells('deployments.apps', { spec }, true)).toMatch(/\|CONTAINERS=a,b\|IMAGES=a:1,b:2\|SELECTOR=app=web,tier in \(a,b\),!old$/);
  });
});
