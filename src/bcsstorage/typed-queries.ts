import type { Condition } from './condition.ts';
import { RequestError } from './envelope.ts';
import { type Path, parsePath } from './paths.ts';
import { equalities, oneOf, parseExtra, parseFields, parsePage } from './query.ts';
import type { ListQuery } from './query.ts';

/*
 * The typed queries of section 3.5 as tables: which parameter asks for which field, and how its value is read.
 */

type Reading = 'list' | 'count' | 'after' | 'before';
type Parameters = Readonly<Record<string, readonly [Reading, string]>>;

interface TypedQuery {
  readonly type: string;
  readonly parameters: Parameters;
}

const CREATED: Parameters = {
  createTimeBegin: ['after', 'data.metadata.creationTimestamp'],
  createTimeEnd: ['before', 'data.metadata.creationTimestamp'],
};
const IDENTITY: Parameters = { resourceVersion: ['list', 'data.metadata.resourceVersion'], uid: ['list', 'data.metadata.uid'] };
const GENERATION: Parameters = { generation: ['count', 'data.metadata.generation'], updateStrategyType: ['list', 'data.spec.updateStrategy.type'] };

/** By the last part of the path. */
export const TYPED_QUERIES: Readonly<Record<string, TypedQuery>> = {
  pod: {
    type: 'Pod',
    parameters: {
      hostIp: ['list', 'data.status.hostIP'],
      podIp: ['list', 'data.status.podIP'],
      status: ['list', 'data.status.phase'],
      startTimeBegin: ['after', 'data.status.startTime'],
      startTimeEnd: ['before', 'data.status.startTime'],
    },
  },
  replicaset: {
    type: 'ReplicaSet',
    parameters: {
      replicas: ['count', 'data.status.replicas'],
      availableReplicas: ['count', 'data.status.availableReplicas'],
      readyReplicas: ['count', 'data.status.readyReplicas'],
      ...CREATED,
    },
  },
  deployment: {
    type: 'Deployment',
    parameters: {
      replicas: ['count', 'data.status.replicas'],
      availableReplicas: ['count', 'data.status.availableReplicas'],
      updatedReplicas: ['count', 'data.status.updatedReplicas'],
      strategyType: ['list', 'data.spec.strategy.type'],
      dnsPolicy: ['list', 'data.spec.template.spec.dnsPolicy'],
      restartPolicy: ['list', 'data.spec.template.spec.restartPolicy'],
      ...CREATED,
    },
  },
  service: { type: 'Service', parameters: { clusterIp: ['list', 'data.spec.clusterIP'], type: ['list', 'data.spec.type'], ...CREATED } },
  configmap: { type: 'ConfigMap', parameters: CREATED },
  secret: { type: 'Secret', parameters: CREATED },
  ingress: { type: 'Ingress', parameters: CREATED },
  endpoints: { type: 'Endpoints', parameters: {} },
  namespace: { type: 'Namespace', parameters: { status: ['list', 'data.status.phase'], ...CREATED } },
  node: { type: 'Node', parameters: { externalID: ['list', 'data.spec.externalID'], ...CREATED } },
  daemonset: { type: 'DaemonSet', parameters: { ...CREATED, ...IDENTITY, ...GENERATION, templateGeneration: ['count', 'data.spec.templateGeneration'] } },
  statefulset: {
    type: 'StatefulSet',
    parameters: {
      ...CREATED,
      ...IDENTITY,
      ...GENERATION,
      podManagementPolicy: ['list', 'data.spec.podManagementPolicy'],
      serviceName: ['list', 'data.spec.serviceName'],
    },
  },
  job: { type: 'Job', parameters: { ...CREATED, ...IDENTITY } },
  ippoolstatic: { type: 'IPPoolStatic', parameters: {} },
  ippoolstaticdetail: { type: 'IPPoolStaticDetail', parameters: {} },
};

/** The types that make a namespace count as used (`namespace?used=1`). */
export const TYPES_OF_USE = ['ReplicaSet', 'Deployment', 'Service', 'ConfigMap', 'Secret', 'Ingress', 'DaemonSet', 'Job', 'StatefulSet'];

const COMMON: Parameters = { name: ['list', 'resourceName'], namespace: ['list', 'namespace'] };

/** `get` gives a parameter of the query or of the body of a POST. Parameters that nobody knows are ignored, and so are empty ones. Throws RequestError. */
export function parseTypedQuery(typed: TypedQuery, get: (name: string) => string | null): ListQuery {
  const conditions: Condition[] = [];
  for (const [name, [reading, field]] of Object.entries({ ...COMMON, ...typed.parameters })) {
    const value = get(name) ?? '';
    if (value !== '') conditions.push(condition(name, reading, parsePath(field), value));
  }
  conditions.push(...equalities(parseExtra(get('extra') ?? '')));
  return { fields: parseFields(get('field')), ...parsePage(get('offset'), get('limit')), conditions };
}

function condition(name: string, reading: Reading, path: Path, value: string): Condition {
  if (reading === 'list') return oneOf(path.join('.'), value);
  if (!/^-?[0-9]{1,15}$/.test(value)) {
    throw new RequestError('query', `${name} must be ${reading === 'count' ? 'one whole number' : 'Unix seconds'}, found ${JSON.stringify(value)}.`);
  }
  return reading === 'count' ? { op: 'eq', path, value: Number(value) } : { op: reading, path, ms: Number(value) * 1_000 };
}
