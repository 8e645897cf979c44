import { humanDuration } from './age.ts';
import { countAt, hasTrueCondition, mapAt, textAt, textsAt, type Tree, treesAt, valueAt } from './tree.ts';

/* The texts of single cells, as the API server's own printers make them. Pure. */

export const NONE = '<none>';

/** Labels as one text, `a=1,b=2`, in the order of their keys. */
export function labelsText(labels: Tree): string {
  const pairs = Object.keys(labels)
    .sort()
    .map((key) => `${key}=${String(labels[key])}`);
  return pairs.length === 0 ? NONE : pairs.join(',');
}

const MATCH_OPERATORS: Readonly<Record<string, string>> = { In: 'in', NotIn: 'notin' };

export function selectorText(selector: Tree): string {
  const labels = mapAt(selector, 'matchLabels');
  const terms = Object.keys(labels)
    .sort()
    .map((key) => `${key}=${String(labels[key])}`);
  for (const term of treesAt(selector, 'matchExpressions')) {
    const key = textAt(term, 'key');
    const operator = textAt(term, 'operator');
    if (operator === 'Exists') terms.push(key);
    else if (operator === 'DoesNotExist') terms.push(`!${key}`);
    else terms.push(`${key} ${MATCH_OPERATORS[operator] ?? operator} (${textsAt(term, 'values').toSorted().join(',')})`);
  }
  return terms.length === 0 ? NONE : terms.join(',');
}

export function nodeRoles(node: Tree): string {
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(mapAt(node, 'metadata.labels'))) {
    if (key.startsWith('node-role.kubernetes.io/')) roles.add(key.slice('node-role.kubernetes.io/'.length));
    else if (key === 'kubernetes.io/role') roles.add(String(value));
  }
  roles.delete('');
  return roles.size === 0 ? NONE : [...roles].sort().join(',');
}

export function nodeStatus(node: Tree): string {
  const ready = treesAt(node, 'status.conditions').some((one) => one['type'] === 'Ready')
    ? hasTrueCondition(node, 'Ready')
      ? 'Ready'
      : 'NotReady'
    : 'Unknown';
  return valueAt(node, 'spec.unschedulable') === true ? `${ready},SchedulingDisabled` : ready;
}

export const address =
  (type: string) =>
  (node: Tree): string =>
    textAt(treesAt(node, 'status.addresses').find((one) => one['type'] === type) ?? {}, 'address', NONE);

export function clusterIp(service: Tree): string {
  return textsAt(service, 'spec.clusterIPs')[0] ?? textAt(service, 'spec.clusterIP', NONE);
}

/** A load balancer's addresses are cut to 16 characters, unless the table is wide. */
export function externalIp(service: Tree, isWide: boolean): string {
  const own = textsAt(service, 'spec.externalIPs');
  switch (textAt(service, 'spec.type', 'ClusterIP')) {
    case 'ExternalName':
      return textAt(service, 'spec.externalName', NONE);
    case 'LoadBalancer': {
      const points = balancerAddresses(service, isWide);
      const all = [...(points === '' ? [] : [points]), ...own];
      return all.length === 0 ? '<pending>' : all.join(',');
    }
    default:
      return own.length === 0 ? NONE : own.join(',');
  }
}

export function balancerAddresses(object: Tree, isWide: boolean): string {
  const points = new Set(treesAt(object, 'status.loadBalancer.ingress').map((one) => textAt(one, 'ip', textAt(one, 'hostname'))));
  points.delete('');
  const text = [...points].sort().join(',');
  return !isWide && text.length > 16 ? `${text.slice(0, 13)}...` : text;
}

export function servicePorts(service: Tree): string {
  const ports = treesAt(service, 'spec.ports').map((port) => {
    const node = countAt(port, 'nodePort');
    return `${countAt(port, 'port')}${node === 0 ? '' : `:${node}`}/${textAt(port, 'protocol', 'TCP')}`;
  });
  return ports.length === 0 ? NONE : ports.join(',');
}

/** Events of both groups: `events.k8s.io` has other names for the same fields. */
export function eventTimes(event: Tree): { readonly first: unknown; readonly last: unknown; readonly count: number } {
  const either = (a: string, b: string): unknown => valueAt(event, a) ?? valueAt(event, b) ?? undefined;
  const first = either('firstTimestamp', 'deprecatedFirstTimestamp') ?? valueAt(event, 'eventTime');
  const last = valueAt(event, 'series.lastObservedTime') ?? either('lastTimestamp', 'deprecatedLastTimestamp') ?? first;
  const seen = countAt(event, 'series.count') || countAt(event, 'count') || countAt(event, 'deprecatedCount');
  return { first, last, count: seen === 0 ? 1 : seen };
}

export function eventObject(event: Tree): string {
  const about = event['regarding'] === undefined ? 'involvedObject' : 'regarding';
  const kind = textAt(event, `${about}.kind`).toLowerCase();
  const name = textAt(event, `${about}.name`);
  return name === '' ? kind : `${kind}/${name}`;
}

export function eventSource(event: Tree): string {
  const source = event['deprecatedSource'] === undefined ? 'source' : 'deprecatedSource';
  const component = textAt(event, `${source}.component`, textAt(event, 'reportingComponent', textAt(event, 'reportingController')));
  const host = textAt(event, `${source}.host`, textAt(event, 'reportingInstance'));
  return [component, host].filter((part) => part !== '').join(', ');
}

/** Conditions that are the status of a job: the first before its deletion, the others behind. */
const JOB_ENDS = ['Complete', 'Failed'];
const JOB_STATES = ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'];

export function jobStatus(job: Tree): string {
  const end = JOB_ENDS.find((type) => hasTrueCondition(job, type));
  if (end !== undefined) return end;
  if (valueAt(job, 'metadata.deletionTimestamp') !== undefined) return 'Terminating';
  return JOB_STATES.find((type) => hasTrueCondition(job, type)) ?? 'Running';
}

export function jobCompletions(job: Tree): string {
  const done = countAt(job, 'status.succeeded');
  const wanted = valueAt(job, 'spec.completions');
  if (typeof wanted === 'number') return `${done}/${wanted}`;
  const parallelism = countAt(job, 'spec.parallelism');
  return parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`;
}

export function jobDuration(job: Tree, nowMs: number): string {
  const start = Date.parse(textAt(job, 'status.startTime'));
  if (Number.isNaN(start)) return '';
  const end = Date.parse(textAt(job, 'status.completionTime'));
  return humanDuration((Number.isNaN(end) ? nowMs : end) - start);
}

const ACCESS_MODES: Readonly<Record<string, string>> = { ReadWriteOnce: 'RWO', ReadOnlyMany: 'ROX', ReadWriteMany: 'RWX', ReadWriteOncePod: 'RWOP' };

export const accessModes = (object: Tree, where: string): string =>
  textsAt(object, where)
    .map((mode) => ACCESS_MODES[mode] ?? mode)
    .join(',');
export const phase = (object: Tree): string => (valueAt(object, 'metadata.deletionTimestamp') === undefined ? textAt(object, 'status.phase') : 'Terminating');
export const sizeOf = (object: Tree, where: string): string => String(Object.keys(mapAt(object, where)).length);
export const bound = (claim: Tree, text: string): string => (textAt(claim, 'spec.volumeName') === '' ? '' : text);

export function ingressHosts(ingress: Tree): string {
  const rules = treesAt(ingress, 'spec.rules');
  const hosts = rules
    .slice(0, 3)
    .map((rule) => textAt(rule, 'host'))
    .filter((host) => host !== '');
  if (hosts.length === 0) return '*';
  return rules.length > 3 ? `${hosts.join(',')} + ${rules.length - 3} more...` : hosts.join(',');
}
