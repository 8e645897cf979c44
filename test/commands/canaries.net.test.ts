import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request as forward, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BcsStorage, startBcsStorage } from '../../src/bcsstorage/server.ts';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { CANARIES, found, plantCanaries, RULES, writeKubeconfig } from './canaries.ts';
import { kubefold, startKubefold } from './kubefold.ts';

/*
 * Every secret that passes through the program is a word that occurs nowhere else. The program meets what makes programs talk (refusals that quote the
 * request, broken bytes, plugins and files that are wrong), and then everything it said to anybody is searched for those words.
 */

const dir = tempDir('canaries');
let hollow: Hollow;
let service: BcsStorage;
const servers: Server[] = [];

beforeAll(async () => {
  hollow = await startHollow();
  seedCluster(hollow, { pods: 5, nodes: 1, namespaces: 1, bytes: 600 });
  plantCanaries(hollow);
  service = await startBcsStorage();
  writeFileSync(dir.file('storage-token'), `${CANARIES.storageToken}\n`);
});

afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await service.close();
  await hollow.close();
  dir.remove();
});

type Tamper = (request: IncomingMessage, body: string, response: ServerResponse) => boolean;

/** Stands before a server and passes requests on, unless `tamper` has answered. */
async function before(url: string, tamper: Tamper): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      if (tamper(request, body.toString(), response)) return;
      const { method, headers } = request;
      const onward = forward(`${url}${request.url ?? ''}`, { method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      });
      onward.on('error', () => response.destroy());
      response.on('close', () => onward.destroy());
      onward.end(body);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const kubeconfig = (name: string, server: string, user: object): string => writeKubeconfig(dir.file(name), server, user);

/** A proxy that quotes what it was sent, refuses now and then, and spoils a watch line. */
function quotingCluster(): Promise<string> {
  let refused = 0;
  let spoiled = 0;
  return before(hollow.url, (request, _body, response) => {
    const quote = `cannot pass on: authorization: ${request.headers.authorization ?? 'none'}`;
    if (refused < 3 && request.url?.startsWith('/api') === true) {
      refused += 1;
      const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', message: quote, code: 500 };
      response.writeHead(refused === 2 ? 500 : 502, { 'content-type': refused === 2 ? 'application/json' : 'text/plain' });
      response.end(refused === 2 ? JSON.stringify(status) : quote);
      return true;
    }
    if (spoiled < 2 && request.url?.includes('/configmaps') === true && request.url.includes('watch=')) {
      spoiled += 1;
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(`{"type":"ADDED","object":{"metadata":{"name":"x"},"data":{"key":"${CANARIES.maskedValue}"${spoiled === 1 ? ' oops' : ''}\n`);
      return true;
    }
    return false;
  });
}

/** A service that quotes the document which it refuses, and the token of whoever asks. */
function quotingService(): Promise<string> {
  let failed = 0;
  return before(service.url, (request, body, response) => {
    if (request.method !== 'PUT') return false;
    const refuse = (code: number, message: string): true => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ result: false, code, message, data: null }));
      return true;
    };
    if (request.url?.endsWith('/canary') === true && request.url.includes('/Pod/'))
      return refuse(1405080, `cannot unmarshal ${body.slice(body.indexOf('canary-') - 20)}`);
    if (failed < 5) {
      failed += 1;
      return refuse(1405081, `who is ${request.headers.authorization ?? 'none'}? ${body}`);
    }
    return false;
  });
}

const PATHS = ['/', '/readyz?verbose', '/readyz', '/metrics', '/status.json', '/control/held?keys=all', '/control/parked', '/nothing'];

/** Everything that the surface says. */
async function surface(url: string): Promise<string> {
  const answers = await Promise.all(PATHS.map(async (path) => `${path}\n${await (await fetch(`${url}${path}`)).text()}`));
  return answers.join('\n');
}

test.each([
  ['a token and SQLite', { token: CANARIES.token }, async () => ({ url: `sqlite:${dir.file('copy.db')}` }), false],
  [
    'a password and a storage service that quotes what it refuses',
    { username: 'u', password: CANARIES.password },
    async () => ({ url: `bcs+${await quotingService()}`, tokenFile: dir.file('storage-token') }),
    true,
  ],
])('nothing secret is said by a mirror with %s, whatever goes wrong', async (_, user, storageOf, parks) => {
  const name = parks ? 'service' : 'file';
  const flags = ['--kubeconfig', kubeconfig(`${name}.kubeconfig`, await quotingCluster(), user), '--config', dir.file(`${name}.json`)];
  writeFileSync(dir.file(`${name}.json`), JSON.stringify({ cluster: { name: 'x' }, storage: await storageOf(), resources: RULES, listen: '127.0.0.1:0' }));
  const more = { cwd: dir.path, env: { TMPDIR: dir.path } };
  const pod = { POD_NAME: `kubefold-${name}`, POD_NAMESPACE: 'default' };
  const child = startKubefold(['run', ...flags, '--log-format', 'json', '--log-level', 'debug'], { ...more, env: { ...more.env, ...pod }, withinMs: 90_000 });
  const [, url = ''] = await child.printed(/"status":"(http:[^"]+)"/, { on: 'stderr' });
  let said = await surface(url);
  await until('all that can be is stored', async () => {
    const text = await surface(url);
    said += text;
    return /^ready:/m.test(text) && (!parks || /1 parked/.test(text));
  });
  // The faults were met, and told of.
  expect(child.stderr()).toMatch(/cannot pass on/);
  if (parks) expect(child.stderr()).toMatch(/who is|cannot unmarshal/);
  const listen = ['--listen', url.slice('http://'.length)];
  const commands = [
    ['parked', 'list', ...listen],
    ['confirm', ...listen],
    ['verify', ...flags],
    ['config', 'print', dir.file(`${name}.json`)],
  ];
  for (const args of parks ? commands : commands.filter(([command]) => command !== 'parked')) {
    const { stdout, stderr } = await kubefold(args, more);
    said += `${stdout}${stderr}`;
  }
  // A version that is refused, with a secret where none belongs: what is told of it in the log, on the status page and in an Event is searched too.
  writeFileSync(
    dir.file(`${name}.json`),
    JSON.stringify({ storage: { url: `bcs+http://u:${CANARIES.password}@127.0.0.1:1` }, auth: { token: CANARIES.token } }),
  );
  const told = await until('the Events of the pod tell of it', async () => {
    const text = await (await fetch(`${hollow.url}/api/v1/namespaces/default/events`)).text();
    return text.includes(pod.POD_NAME) && text.includes('ConfigurationRefused') && (!parks || text.includes('ObjectsParked')) ? text : null;
  });
  said += told + (await surface(url));
  // As a person who lost patience: what is printed then is searched too.
  child.signal('SIGTERM');
  const { stdout, stderr } = await child.exited;
  expect(found(`${said}${stdout}${stderr}`)).toEqual([]);
  if (parks) return;
  // What a rule masks or hashes reaches no file, and what it does not is there: the search would find it.
  const files = readdirSync(dir.path).filter((file) => file.startsWith('copy.db'));
  const stored = files.map((file) => readFileSync(join(dir.path, file), 'latin1')).join('');
  expect(found(stored).toSorted()).toEqual([CANARIES.annotation, CANARIES.environment].toSorted());
});

test.each<readonly [string, () => readonly string[], RegExp]>([
  [
    'a kubeconfig that is no YAML',
    () => {
      writeFileSync(dir.file('broken.kubeconfig'), `users:\n- name: u\n  user: {token: ${CANARIES.token}, : [}\n`);
      return ['run', '--kubeconfig', dir.file('broken.kubeconfig')];
    },
    /not valid YAML/,
  ],
  [
    'a client key that is none',
    () => {
      const data = (text: string): string => Buffer.from(text).toString('base64');
      const user = { 'client-certificate-data': data('none'), 'client-key-data': data(`-----BEGIN PRIVATE KEY-----\n${CANARIES.clientKey}\n`) };
      return ['run', '--kubeconfig', kubeconfig('key.kubeconfig', 'https://127.0.0.1:1', user)];
    },
    /kubefold: /,
  ],
  [
    'a credential plugin that prints what it should not, and fails',
    () => {
      const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, interactiveMode: 'Never' };
      const script = `console.log(JSON.stringify({ kind: 'ExecCredential', status: { token: '${CANARIES.pluginToken}' } })); process.exit(3)`;
      const user = { exec: { ...exec, args: ['-e', script] } };
      return ['run', '--kubeconfig', kubeconfig('plugin.kubeconfig', hollow.url, user)];
    },
    /credential plugin .* failed with exit code 3/,
  ],
  [
    'a password in the URL of storage',
    () => ['run', '--kubeconfig', '/no/such', '--storage', `bcs+http://u:${CANARIES.password}@127.0.0.1:1`],
    /must not hold a user or a password/,
  ],
  [
    'a password in the URL of a database that this release does not have',
    () => ['run', '--kubeconfig', kubeconfig('plain.kubeconfig', hollow.url, {}), '--storage', `postgres://u:${CANARIES.password}@127.0.0.1:1/db`],
    /postgres/,
  ],
  [
    'a configuration that has a token where a file name belongs',
    () => {
      writeFileSync(dir.file('wrong.yaml'), `auth: { token: ${CANARIES.token} }\n`);
      return ['config', 'check', dir.file('wrong.yaml')];
    },
    /auth\.token\b/,
  ],
])('nothing secret is said of %s', async (_, argsOf, message) => {
  const { code, stdout, stderr } = await kubefold(argsOf(), { cwd: dir.path, env: { TMPDIR: dir.path } });
  expect(code).toBeGreaterThan(0);
  expect(stderr).toMatch(message);
  expect(found(`${stdout}${stderr}`)).toEqual([]);
});

test('the search finds a word, and its base64', () => {
  expect(found(`x${CANARIES.token}y`)).toEqual([CANARIES.token]);
  expect(found(Buffer.from(CANARIES.secretValue).toString('base64'))).toHaveLength(1);
});
