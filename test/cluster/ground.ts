import { expect } from 'vitest';
import type { Cluster, WatchQuery } from '../../src/cluster/cluster.ts';
import { ApiError } from '../../src/model/errors.ts';
import type { Kind, Scope } from '../../src/model/kind.ts';
import { until } from '../support/until.ts';
import { readList, WatchProbe } from './probe.ts';
import type { SeenObject } from './probe.ts';
import type { ApiAnswer, ApiRequest } from './raw-api.ts';

/** A cluster behind our client, and a raw way in beside it for what the mirror never does: writing. */
export interface ClusterUnderTest {
  readonly cluster: Cluster;
  /** One raw request, whatever the answer. */
  api(path: string, options?: ApiRequest): Promise<ApiAnswer>;
  /** History is lost: lists, continue tokens and watches from revisions before this call answer that they are too old. */
  forgetHistory(): Promise<void>;
  close(): Promise<void>;
}

const core = (resource: string, kind: string, namespaced = true): Kind => ({
  ...{ group: '', version: 'v1', resource, kind, namespaced },
  ...{ singular: kind.toLowerCase(), shortNames: [], categories: [] },
});
export const CONFIG_MAPS = core('configmaps', 'ConfigMap');
export const PODS = core('pods', 'Pod');
export const NAMESPACES = core('namespaces', 'Namespace', false);

export const GROUP = 'contract.example.com';
export const WIDGETS: Kind = { ...core('widgets', 'Widget'), group: GROUP, shortNames: ['wg'], categories: ['all'] };
/** Kinds that no server has: in a group that it knows, and in one that it does not. */
export const GADGETS = core('gadgets', 'Gadget');
export const NOWHERE: Kind = { ...WIDGETS, group: 'nowhere.example.com' };

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const WIDGET_CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `widgets.${GROUP}` },
  spec: {
    group: GROUP,
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList', shortNames: ['wg'], categories: ['all'] },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } } }],
  },
};

export const names = (items: readonly SeenObject[]): readonly string[] => items.map((item) => item.metadata.name);

/** The refusal that `work` ends with; anything else fails the test. */
export async function refusal(work: Promise<unknown>): Promise<ApiError> {
  const cause = await work.then(
    () => new Error('it was not refused'),
    (thrown: unknown) => thrown,
  );
  expect(cause).toBeInstanceOf(ApiError);
  return cause as ApiError;
}

/** What the cases of the contract share: the cluster under test, once there is one, and short words for writing to it. */
export interface Ground {
  begin(under: ClusterUnderTest): void;
  end(): Promise<void>;
  readonly cluster: Cluster;
  readonly api: ClusterUnderTest['api'];
  readonly forgetHistory: () => Promise<void>;
  /** A namespace of the case's own; `wanted` when its name matters. */
  readonly newNamespace: (wanted?: string) => Promise<string>;
  readonly mapsPath: (namespace: string) => string;
  readonly createMap: (namespace: string, name: string, metadata?: object) => Promise<SeenObject>;
  readonly patchMap: (namespace: string, name: string, patch: object) => Promise<SeenObject>;
  readonly deleteMap: (namespace: string, name: string) => Promise<SeenObject>;
  /** Creates the definition when it is not there, then the widgets; resolves when all of them can be listed. */
  readonly createWidgets: (namespace: string, names: readonly string[]) => Promise<void>;
  readonly deleteWidgetDefinition: () => Promise<void>;
  /** As api, but a refusal throws. */
  readonly write: (path: string, options: ApiRequest) => Promise<SeenObject>;
  readonly watch: (kind: Kind, scope: Scope, query: Partial<WatchQuery> & Pick<WatchQuery, 'resourceVersion'>) => WatchProbe;
}

export function createGround(): Ground {
  let current: ClusterUnderTest | undefined;
  let namespaces = 0;
  const under = (): ClusterUnderTest => {
    if (current === undefined) throw new Error('There is no cluster under test: it did not start');
    return current;
  };
  const cluster: Cluster = {
    get address() {
      return under().cluster.address;
    },
    discover: (...args) => under().cluster.discover(...args),
    list: (...args) => under().cluster.list(...args),
    watch: (...args) => under().cluster.watch(...args),
    get: (...args) => under().cluster.get(...args),
    identity: (...args) => under().cluster.identity(...args),
    close: () => under().cluster.close(),
  };
  const api: Ground['api'] = (path, options) => under().api(path, options);
  const write: Ground['write'] = async (path, options) => {
    const answer = await api(path, options);
    if (answer.status >= 300) throw new Error(`${options.method} ${path} was answered with ${answer.status}: ${answer.text}`);
    return answer.json<SeenObject>();
  };
  const mapsPath = (namespace: string): string => `/api/v1/namespaces/${namespace}/configmaps`;
  return {
    begin(opened) {
      current = opened;
    },
    async end() {
      await current?.close();
    },
    cluster,
    api,
    forgetHistory: () => under().forgetHistory(),
    async newNamespace(wanted) {
      namespaces += 1;
      const name = wanted ?? `contract-${namespaces}`;
      await write('/api/v1/namespaces', { method: 'POST', body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } } });
      return name;
    },
    mapsPath,
    createMap: (namespace, name, metadata = {}) =>
      write(mapsPath(namespace), {
        method: 'POST',
        body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, ...metadata }, data: { text: 'a' } },
      }),
    patchMap: (namespace, name, patch) => write(`${mapsPath(namespace)}/${name}`, { method: 'PATCH', body: patch }),
    deleteMap: (namespace, name) => write(`${mapsPath(namespace)}/${name}`, { method: 'DELETE' }),
    async createWidgets(namespace, items) {
      if ((await api(`${CRDS}/widgets.${GROUP}`)).status === 404) await write(CRDS, { method: 'POST', body: WIDGET_CRD });
      for (const name of items) {
        const body = { apiVersion: `${GROUP}/v1`, kind: 'Widget', metadata: { name, annotations: { note: 'x' } }, spec: { size: 1 }, data: { a: 1 } };
        const path = `/apis/${GROUP}/v1/namespaces/${namespace}/widgets`;
        await until(`the widget ${name} is taken`, async () => (await api(path, { method: 'POST', body })).status === 201);
      }
      // A storage that has just begun answers 429 "storage is (re)initializing" for a moment.
      await until('the widgets can be listed', async () => (await readList(cluster, WIDGETS, namespace)).list.items.length === items.length);
    },
    async deleteWidgetDefinition() {
      await write(`${CRDS}/widgets.${GROUP}`, { method: 'DELETE' });
    },
    write,
    watch: (kind, scope, query) => new WatchProbe(cluster, { kind, scope, query }),
  };
}
