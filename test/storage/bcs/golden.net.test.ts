import { readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { kubefold } from '../../commands/kubefold.ts';
import { ApiDouble, sendJson } from '../../support/api-double.ts';
import { type TempDir, tempDir } from '../../support/temp-dir.ts';

/*
 * golden/*.listed.txt are objects as an API server lists them, with managedFields. golden/*.put.http is what sections 2.4 and 3.3 of the wire specification make of
 * each: method and path, headers of the contract, body. They were written by hand from that contract, by cutting managedFields out of the text.
 */

const golden = (name: string): string => readFileSync(new URL(`./golden/${name}`, import.meta.url), 'utf8');
const NAMES = ['pod', 'owned-pod', 'node', 'event', 'widget'] as const;
/** Section 2.2, for a Pod whose ReplicaSet is not found: the ReplicaSet. */
const WORKLOAD = { 'workload.bkbcs.tencent.com/kind': 'ReplicaSet', 'workload.bkbcs.tencent.com/name': 'web-5d4f' };
const CLUSTER = 'BCS-K8S-1';

const doubles: ApiDouble[] = [];
let dir: TempDir | null = null;
afterEach(async () => {
  for (const double of doubles.splice(0)) await double.stop();
  dir?.remove();
});

/** An older API server, without the aggregated discovery, on which each of four kinds has an object or two. */
async function apiServer(): Promise<ApiDouble> {
  const verbs = ['get', 'list', 'watch'];
  const resource = (name: string, kind: string, namespaced: boolean): object => ({ name, singularName: kind.toLowerCase(), namespaced, kind, verbs });
  const version = { groupVersion: 'example.com/v1', version: 'v1' };
  const documents: Readonly<Record<string, object>> = {
    '/api': { kind: 'APIVersions', versions: ['v1'] },
    '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [{ name: 'example.com', versions: [version], preferredVersion: version }] },
    '/api/v1': {
      kind: 'APIResourceList',
      groupVersion: 'v1',
      resources: [resource('pods', 'Pod', true), resource('nodes', 'Node', false), resource('events', 'Event', true)],
    },
    '/apis/example.com/v1': { kind: 'APIResourceList', groupVersion: 'example.com/v1', resources: [resource('widgets', 'Widget', true)] },
    '/api/v1/namespaces/kube-system': { kind: 'Namespace', apiVersion: 'v1', metadata: { name: 'kube-system', uid: 'cluster', resourceVersion: '1' } },
  };
  const lists: Readonly<Record<string, string>> = {
    // Whose list says as of when discovery and everything after it is.
    '/api/v1/namespaces': '{"kind":"NamespaceList","apiVersion":"v1","metadata":{"resourceVersion":"900"},"items":[]}\n',
    '/api/v1/pods': `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"900"},"items":[${golden('pod.listed.txt').trim()},${golden('owned-pod.listed.txt').trim()}]}\n`,
    '/api/v1/nodes': `{"kind":"NodeList","apiVersion":"v1","metadata":{"resourceVersion":"900"},"items":[${golden('node.listed.txt').trim()}]}\n`,
    '/api/v1/events': `{"kind":"EventList","apiVersion":"v1","metadata":{"resourceVersion":"900"},"items":[${golden('event.listed.txt').trim()}]}\n`,
    '/apis/example.com/v1/widgets': `{"apiVersion":"example.com/v1","items":[${golden('widget.listed.txt').trim()}],"kind":"WidgetList","metadata":{"continue":"","resourceVersion":"900"}}\n`,
  };
  const double = await ApiDouble.start((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://none');
    const list = lists[pathname];
    const document = documents[pathname];
    if (list !== undefined) {
      response.writeHead(200, { 'content-type': 'application/json' });
      // A watch has nothing to tell, and stays open.
      if (searchParams.get('watch') === null) response.end(list);
      else response.flushHeaders();
    } else if (document !== undefined) sendJson(response, 200, document);
    else sendJson(response, 404, { kind: 'Status', status: 'Failure', reason: 'NotFound', code: 404 });
  });
  doubles.push(double);
  return double;
}

/** A storage that has nothing and takes everything; each PUT of an object as it came. */
async function recorder(): Promise<{ readonly url: string; readonly puts: readonly string[]; readonly headers: readonly IncomingMessage['headers'][] }> {
  const puts: string[] = [];
  const headers: IncomingMessage['headers'][] = [];
  const double = await ApiDouble.start((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '' } = request;
      if (method === 'PUT' && !url.includes('KubefoldRecord') && !url.includes('customresources')) {
        headers.push(request.headers);
        puts.push(`${method} ${url}\ncontent-type: ${request.headers['content-type']}\n\n${Buffer.concat(chunks).toString()}\n`);
      }
      sendJson(response, 200, { result: true, code: 0, message: 'success', data: method === 'GET' ? [] : {} });
    });
  }, null);
  doubles.push(double);
  return { url: double.url, puts, headers };
}

test('the requests that the real program makes of a Pod, a cluster-scoped kind, an Event and a custom kind are the golden ones, byte for byte (contract 2.4)', async () => {
  dir = tempDir('golden');
  const api = await apiServer();
  const { url, puts, headers } = await recorder();
  const user = { name: 'u', user: {} };
  const context = { name: 'c', context: { cluster: 'c', user: 'u' } };
  const clusters = [{ name: 'c', cluster: { server: api.url } }];
  writeFileSync(
    dir.file('kubeconfig'),
    JSON.stringify({ apiVersion: 'v1', kind: 'Config', clusters, users: [user], contexts: [context], 'current-context': 'c' }),
  );
  const flags = [
    '--kubeconfig',
    dir.file('kubeconfig'),
    '--cluster-name',
    CLUSTER,
    '--storage',
    `bcs+${url}`,
    '--kinds',
    'pods,nodes,events,widgets.example.com',
  ];
  const done = await kubefold(['run', ...flags, '--once', '--listen', 'off'], { withinMs: 15_000 });
  expect(done.stderr).toMatch(/first sync/);
  expect(done.code).toBe(0);
  expect([...puts].sort()).toEqual(NAMES.map((name) => golden(`${name}.put.http`)).sort());
  // No token was asked for, none is sent, and the connection is kept.
  for (const one of headers) expect([one.authorization, one.connection]).toEqual([undefined, 'keep-alive']);
});

test('the golden requests hold what the golden objects hold, apart from managedFields, with the workload of the Pod that has an owner, and the time of the Event', () => {
  for (const name of NAMES) {
    const listed = JSON.parse(golden(`${name}.listed.txt`)) as { metadata: { annotations?: object; managedFields?: unknown } };
    expect(listed.metadata.managedFields, name).toHaveLength(2);
    const { managedFields: _, ...metadata } = listed.metadata;
    const { data, ...beside } = JSON.parse(golden(`${name}.put.http`).split('\n')[3] ?? '') as { data: { kind: string; apiVersion: string } };
    if (name === 'owned-pod') metadata.annotations = { ...metadata.annotations, ...WORKLOAD };
    expect(data, name).toEqual({ ...listed, metadata, kind: data.kind, apiVersion: data.apiVersion });
    expect(Object.keys(beside)).toEqual(
      name === 'event' ? ['id', 'env', 'kind', 'level', 'component', 'type', 'describe', 'clusterId', 'eventTime', 'extraInfo'] : [],
    );
    if (name === 'event') expect(Reflect.get(beside, 'eventTime')).toBe(Date.parse('2026-01-02T03:14:07Z') / 1000);
  }
});
