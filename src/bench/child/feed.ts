import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { makePod } from '../../hollow/load-pods.ts';
import { obey, optionsOf, tell } from './serve.ts';

/**
 * The same stream for every contestant: a list of pods, then a watch that sends MODIFIED events of all of them in turn, as fast as they are taken,
 * beginning when the benchmark says `go`. The objects are as a real API server sends them, managedFields included.
 */
const { pods, bytes, events } = optionsOf<{ readonly pods: number; readonly bytes: number; readonly events: number }>();
/** Revisions are of one length, so that they can be written over in place. */
const FIRST_REVISION = 1_000_000_000;
const REVISION = String(FIRST_REVISION);
const LIST_REVISION = FIRST_REVISION + pods;

interface Line {
  readonly bytes: Buffer;
  /** Where the digits of its revision are. */
  readonly at: number;
}

const objects = Array.from({ length: pods }, (_, n) => {
  const tree = makePod(n, { bytes: 0, namespaces: 50 });
  const { name, namespace, uid, managedFields, ...metadata } = tree.metadata ?? {};
  const object = {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name, namespace, uid, resourceVersion: REVISION, ...metadata },
    spec: tree['spec'],
    status: tree['status'],
  };
  const room = bytes - JSON.stringify(object).length;
  return JSON.stringify({ ...object, metadata: { ...object.metadata, managedFields }, spec: grown(tree['spec'], room) });
});

/** Large pods are large by what their containers are told: one more variable of the first container fills up the room. */
function grown(spec: unknown, room: number): unknown {
  const { containers = [], ...rest } = (spec ?? {}) as { readonly containers?: readonly { readonly env?: readonly unknown[] }[] };
  const frame = `,${JSON.stringify({ name: 'SETTINGS', value: '' })}`.length;
  const value = '--flag=value --listen=:8080 path/to/file '.repeat(Math.ceil(room / 41)).slice(0, Math.max(0, room - frame));
  return {
    containers: containers.map((container, index) =>
      index === 0 ? { ...container, env: [...(container.env ?? []), { name: 'SETTINGS', value }] } : container,
    ),
    ...rest,
  };
}

const lines = objects.map((object): Line => {
  const line = Buffer.from(`{"type":"MODIFIED","object":${object}}\n`);
  return { bytes: line, at: line.indexOf(REVISION) };
});
const list = Buffer.from(
  `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"${LIST_REVISION}"},"items":[${objects.map((object, n) => object.replace(REVISION, String(FIRST_REVISION + n + 1))).join(',')}]}\n`,
);
const CHUNK_BYTES = 64 * 1024;

let watching: ServerResponse | null = null;

async function stream(response: ServerResponse): Promise<void> {
  for (let event = 0; event < events; ) {
    const parts: Buffer[] = [];
    for (let size = 0; size < CHUNK_BYTES && event < events; event++) {
      const line = lines[event % pods];
      if (line === undefined) return;
      const copy = Buffer.from(line.bytes);
      copy.write(String(LIST_REVISION + event + 1), line.at, 'latin1');
      parts.push(copy);
      size += copy.length;
    }
    if (!response.write(Buffer.concat(parts))) await new Promise((resolve) => response.once('drain', resolve));
    if (response.destroyed) return;
  }
}

const RESOURCES = {
  kind: 'APIResourceList',
  groupVersion: 'v1',
  resources: [{ name: 'pods', singularName: 'pod', namespaced: true, kind: 'Pod', verbs: ['get', 'list', 'watch'] }],
};
const DOCUMENTS: Readonly<Record<string, unknown>> = {
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [] },
  '/api/v1': RESOURCES,
};

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://feed');
  response.setHeader('content-type', 'application/json');
  if (url.pathname === '/api/v1/pods' && ['1', 'true'].includes(url.searchParams.get('watch') ?? '')) {
    response.flushHeaders();
    watching = response;
    tell({ watched: true });
    return;
  }
  if (url.pathname === '/api/v1/pods') {
    response.end(list);
    return;
  }
  const document = DOCUMENTS[url.pathname];
  response.statusCode = document === undefined ? 404 : 200;
  response.end(JSON.stringify(document ?? { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 }));
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  tell({ url: `http://127.0.0.1:${port}`, lineBytes: lines[0]?.bytes.length ?? 0, lastRevision: String(LIST_REVISION + events) });
});
obey({
  go: () => {
    if (watching !== null) void stream(watching).then(() => tell({ go: true }));
  },
});
