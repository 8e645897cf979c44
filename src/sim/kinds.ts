import type { Kind, KindId } from '../model/kind.ts';
import { apiVersionOf, kindId } from '../model/kind.ts';
import type { ObjectKey } from '../model/key.ts';

/** How many objects a plan may make of a kind, and what its objects look like. */
export interface SimKind {
  readonly kind: Kind;
  readonly id: KindId;
  readonly apiVersion: string;
  /** As custom resources come: keys sorted, the items of a list before its metadata, every object with its type. */
  readonly isCustom: boolean;
  /** Some of its updates change nothing but what a rule ignores. */
  readonly isQuiet: boolean;
}

function simKind(fields: Partial<Kind> & Pick<Kind, 'resource' | 'kind'>, traits: { readonly isCustom?: boolean; readonly isQuiet?: boolean } = {}): SimKind {
  const kind: Kind = { group: '', version: 'v1', namespaced: true, singular: fields.kind.toLowerCase(), shortNames: [], categories: [], ...fields };
  return { kind, id: kindId(kind), apiVersion: apiVersionOf(kind), isCustom: traits.isCustom ?? false, isQuiet: traits.isQuiet ?? false };
}

export const NAMESPACES = simKind({ resource: 'namespaces', kind: 'Namespace', namespaced: false });
export const MAPS = simKind({ resource: 'configmaps', kind: 'ConfigMap' });
/** Its heartbeats are ignored by default. */
export const NODES = simKind({ resource: 'nodes', kind: 'Node', namespaced: false }, { isQuiet: true });
export const DEFINITIONS = simKind({
  group: 'apiextensions.k8s.io',
  resource: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
});
/** Comes and goes with its definition. */
export const WIDGETS = simKind({ group: 'example.com', resource: 'widgets', kind: 'Widget' }, { isCustom: true });
/** The only object of DEFINITIONS. */
export const WIDGETS_DEFINITION = 'widgets.example.com';

export const KINDS: readonly SimKind[] = [NAMESPACES, MAPS, NODES, DEFINITIONS, WIDGETS];

/** One state of one object: what the API server says of it at one revision. */
export interface ObjectState {
  readonly kind: SimKind;
  readonly key: ObjectKey;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly revision: number;
  /** Rises with every state of the simulation, whatever the history does. */
  readonly serial: number;
  /** Which history it was made in. */
  readonly history: number;
  /** Two states of one uid with equal content differ by nothing but what a rule ignores. */
  readonly content: number;
  /** Storage will never take it. */
  readonly isPoison: boolean;
  /** What is to be stored of it when nothing is masked. */
  readonly body: string;
}

const MANAGED_TIME = '"managedFields":[{"manager":"sim","operation":"Update","time":"2026-01-01T00:00:00Z","fieldsV1":{"f:data":{}}}],';

type BodyFields = Pick<ObjectState, 'kind' | 'namespace' | 'name' | 'uid' | 'revision' | 'serial' | 'content'>;

/** ASCII only, so that its length is its size. `pad` is the number of bytes that stand for what nobody looks at. */
export function bodyOf({ kind, namespace, name, uid, revision, serial, content }: BodyFields, pad: number): string {
  const inNamespace = namespace === '' ? '' : `"namespace":"${namespace}",`;
  const filler = 'x'.repeat(pad);
  if (kind.isCustom) {
    // An ownerReference's name comes before the object's own.
    return `{"apiVersion":"${kind.apiVersion}","kind":"${kind.kind.kind}","metadata":{"name":"${name}",${inNamespace}"ownerReferences":[{"name":"other","uid":"none"}],"resourceVersion":"${revision}","uid":"${uid}"},"spec":{"content":${content},"pad":"${filler}","secret":"s${serial}"}}`;
  }
  const head = `{"kind":"${kind.kind.kind}","apiVersion":"${kind.apiVersion}","metadata":{"name":"${name}",${inNamespace}"uid":"${uid}","resourceVersion":"${revision}"},`;
  if (kind.isQuiet) return `${head}"status":{"content":${content},"pad":"${filler}","conditions":[{"type":"Ready","lastHeartbeatTime":"${serial}"}]}}`;
  return `${head}"data":{"content":"${content}","serial":"${serial}","pad":"${filler}"}}`;
}

/** What crosses the wire: with managedFields, which nobody stores. */
export function wireOf(body: string): string {
  return body.replace('"metadata":{', `"metadata":{${MANAGED_TIME}`);
}

/** As an item of a list: built-in kinds leave out what kind they are. */
export function itemOf(state: ObjectState): string {
  const wire = wireOf(state.body);
  return state.kind.isCustom ? wire : `{${wire.slice(wire.indexOf('"metadata"'))}`;
}

/** Where the mask of a simulation points. */
export const MASKED_PATH = 'spec.secret';

export function maskedBody({ body, serial }: ObjectState): string {
  return body.replace(`"secret":"s${serial}"`, '"secret":"***"');
}
