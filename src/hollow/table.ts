import type { PrinterColumn, View } from './kinds.ts';
import type { ObjectTree, Tree } from './objects.ts';
import { partial } from './render.ts';
import type { ListMetadata } from './render.ts';

interface Column {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  readonly priority: number;
  readonly cell: (tree: ObjectTree, wallMs: number) => unknown;
}

/** What `kubectl get` prints: name and age for every kind, a few more for pods, a CRD's own columns. */
export function table(options: {
  readonly view: View;
  readonly trees: readonly ObjectTree[];
  readonly metadata: ListMetadata;
  readonly includeObject: string;
  readonly wallMs: number;
  /** Only the first table of a watch has columns. */
  readonly withColumns: boolean;
}): Tree {
  const { view, trees, metadata, includeObject, wallMs, withColumns } = options;
  const columns = columnsOf(view);
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: withColumns ? columns.map(({ name, type, format, description, priority }) => ({ name, type, format, description, priority })) : null,
    rows: trees.map((tree) => ({
      cells: columns.map((column) => column.cell(tree, wallMs)),
      object: includeObject === 'None' ? null : includeObject === 'Object' ? tree : partial(tree),
    })),
  };
}

const column = (name: string, cell: Column['cell'], more: Partial<Column> = {}): Column => ({
  name,
  type: 'string',
  format: '',
  description: '',
  priority: 0,
  ...more,
  cell,
});

const NAME = column('Name', (tree) => tree.metadata?.name ?? '', { format: 'name' });
const AGE = column('Age', (tree, wallMs) => age(tree.metadata?.creationTimestamp, wallMs));

function columnsOf(view: View): readonly Column[] {
  if (view.columns.length > 0) return [NAME, ...view.columns.map(customColumn)];
  const id = `${view.group}/${view.stored.resource}`;
  if (id === '/pods') {
    return [
      NAME,
      column('Ready', (tree) => `${containers(tree).filter((one) => one.ready).length}/${listAt(tree.spec, 'containers').length}`),
      column('Status', podStatus),
      column('Restarts', (tree) => String(containers(tree).reduce((sum, one) => sum + (one.restartCount ?? 0), 0))),
      AGE,
      column('IP', (tree) => text(tree, 'status.podIP'), { priority: 1 }),
      column('Node', (tree) => text(tree, 'spec.nodeName'), { priority: 1 }),
    ];
  }
  if (id === '/nodes') return [NAME, column('Status', nodeStatus), AGE, column('Version', (tree) => text(tree, 'status.nodeInfo.kubeletVersion'))];
  if (id === '/namespaces') return [NAME, column('Status', (tree) => text(tree, 'status.phase')), AGE];
  if (id === 'apps/deployments') {
    return [
      NAME,
      column('Ready', (tree) => `${count(tree, 'status.readyReplicas')}/${count(tree, 'spec.replicas')}`),
      column('Up-to-date', (tree) => count(tree, 'status.updatedReplicas'), { type: 'integer' }),
      column('Available', (tree) => count(tree, 'status.availableReplicas'), { type: 'integer' }),
      AGE,
    ];
  }
  return [NAME, AGE];
}

function customColumn({ name, type, jsonPath, priority, format, description }: PrinterColumn): Column {
  const path = jsonPath.replace(/^\./, '');
  return column(
    name,
    (tree, wallMs) => {
      const value = at(tree, path);
      if (value === undefined) return null;
      return type === 'date' ? age(String(value), wallMs) : value;
    },
    { type, format: format ?? '', priority: priority ?? 0, description: description ?? `Custom resource definition column (in JSONPath format): ${jsonPath}` },
  );
}

function at(tree: Tree, path: string): unknown {
  let value: unknown = tree;
  for (const step of path.split('.')) value = typeof value === 'object' && value !== null ? (value as Tree)[step] : undefined;
  return value;
}

const text = (tree: Tree, path: string): string => String(at(tree, path) ?? '<none>');
const count = (tree: Tree, path: string): number => Number(at(tree, path) ?? 0);

function listAt(holder: unknown, key: string): readonly Tree[] {
  const value = (holder as Tree | undefined)?.[key];
  return Array.isArray(value) ? (value as Tree[]) : [];
}

function containers(tree: ObjectTree): readonly { readonly ready?: boolean; readonly restartCount?: number; readonly state?: Tree }[] {
  return listAt(tree.status, 'containerStatuses');
}

function podStatus(tree: ObjectTree): string {
  if (tree.metadata?.deletionTimestamp !== undefined) return 'Terminating';
  for (const one of containers(tree)) {
    const reason = at(one.state ?? {}, 'waiting.reason') ?? at(one.state ?? {}, 'terminated.reason');
    if (reason !== undefined) return String(reason);
  }
  return text(tree, 'status.phase');
}

function nodeStatus(tree: ObjectTree): string {
  const ready = listAt(tree.status, 'conditions').find((condition) => condition['type'] === 'Ready');
  return `${ready?.['status'] === 'True' ? 'Ready' : 'NotReady'}${at(tree, 'spec.unschedulable') === true ? ',SchedulingDisabled' : ''}`;
}

/** As HumanDuration: the larger the age, the coarser. */
export function age(since: string | null | undefined, wallMs: number): string {
  const start = Date.parse(since ?? '');
  if (Number.isNaN(start)) return '<unknown>';
  const seconds = Math.floor((wallMs - start) / 1000);
  if (seconds < -1) return '<invalid>';
  const [minutes, hours, days] = [Math.floor(seconds / 60), Math.floor(seconds / 3600), Math.floor(seconds / 86_400)];
  const two = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
    `${large}${largeUnit}${small === 0 ? '' : `${small}${smallUnit}`}`;
  if (seconds < 120) return `${Math.max(seconds, 0)}s`;
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's');
  if (hours < 3) return `${minutes}m`;
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  if (days < 8) return two(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  return days < 2920 ? two(Math.floor(days / 365), 'y', days % 365, 'd') : `${Math.floor(days / 365)}y`;
}
