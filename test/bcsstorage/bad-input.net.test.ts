import { request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startBcsStorage } from '../../src/bcsstorage/server.ts';
import { messageOf } from '../../src/model/errors.ts';
import { TestAuthority } from '../support/certificates.ts';
import { CLUSTER, node, nodes, object, pod, pods, type TestService, testService } from './client.ts';

let service: TestService;
beforeEach(async () => {
  service = await testService();
});
afterEach(async () => {
  // Whatever a test did, the service still answers.
  expect((await service.put(node('alive'), object('alive'))).json.result).toBe(true);
  await service[Symbol.asyncDispose]();
});

describe('an unknown path is 404 and an unknown method 405, as plain text', () => {
  test.each([
    ['GET', '/nothing', 404],
    ['GET', '/k8s/dynamic', 404],
    ['GET', '/k8s/dynamic/namespace_resources/clusters/c/namespaces/n', 404],
    ['GET', `${pod('ns', 'a')}/more`, 404],
    ['GET', '/k8s/dynamic/all_resources/clusters/c/Pod/name', 404],
    ['GET', '/alarms', 404],
    ['GET', '/metric/clusters', 404],
    ['POST', '/dynamic/watch/containers/c', 404],
    ['POST', pod('ns', 'a'), 405],
    ['PUT', pods('ns'), 405],
    ['DELETE', '/events', 405],
    ['GET', `/dynamic/watch/${CLUSTER}/Pod`, 405],
    ['GET', '/clusters/c/data', 405],
    ['GET', '/dynamic/customresources/Q/index/i', 405],
    ['GET', '/k8s/dynamic/multicluster_resources/Pod', 405],
  ])('%s %s', async (method, path, status) => {
    const answer = await service.ask(method, path);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([status, 'text/plain; charset=utf-8']);
  });

  test('outside of /bcsstorage/v1', async () => {
    for (const path of ['/', '/bcsstorage', '/bcsstorage/v2/x', '/healthz']) expect((await fetch(service.server.url + path)).status).toBe(404);
  });

  test('a path that cannot be decoded is 400', async () => {
    expect((await service.get('/k8s/dynamic/%zz')).status).toBe(400);
  });
});

describe('a bad request is an envelope with HTTP 200', () => {
  test.each([
    ['PUT', pod('ns', 'a'), '{"data":', 1405080, /ends too early/],
    ['PUT', pod('ns', 'a'), '', 1405080, /the body is empty/],
    ['PUT', pod('ns', 'a'), '{"meta":1}', 1405080, /the body has no "data"/],
    ['PUT', `${pod('ns', 'a')}?extra=%25`, '{"data":{}}', 1405086, /extra must be base64/],
    ['GET', `${pod('ns', 'a')}?labelSelector=a%2Bin%2B(`, undefined, 1405083, /labelSelector: "a\+in\+\("/],
    ['GET', `${pods('ns')}?labelSelector=a%2Bin%2B(`, undefined, 1405085, /labelSelector: "a\+in\+\("/],
    ['GET', `${pods('ns')}?limit=many`, undefined, 1405085, /limit must be a whole number, found "many"/],
    ['GET', `${pods('ns')}?extra=YWJj`, undefined, 1405086, /not of a JSON object/],
    ['DELETE', `${pods('ns')}?labelSelector=(`, undefined, 1405084, /labelSelector/],
    ['DELETE', `${nodes}?updateTimeBefore=soon`, undefined, 1405084, /updateTimeBefore must be/],
    ['DELETE', nodes, '[]', 1405080, /updateTimeBegin/],
    ['DELETE', nodes, '{"updateTimeEnd":"x"}', 1405080, /"updateTimeEnd" must be Unix seconds/],
    ['POST', '/events', '{', 1405080, /not valid JSON/],
    ['POST', '/k8s/dynamic/multicluster_resources/Pod', '', 1405085, /clusteredNamespaces/],
    ['POST', `/query/k8s/dynamic/clusters/${CLUSTER}/pod`, '[]', 1405080, /object of texts/],
  ])('%s %s %s', async (method, path, body, code, message) => {
    const answer = await service.ask(method, path, body);
    expect([answer.status, answer.json.result, answer.json.code]).toEqual([200, false, code]);
    expect(answer.json.message).toMatch(/^\(kubefold storage\): /);
    expect(answer.json.message).toMatch(message);
    expect(answer.json.data).toEqual(method === 'PUT' || path.startsWith(pod('ns', 'a')) ? {} : []);
  });

  test('a body larger than 8 MiB is not taken, one just below is', async () => {
    const large = await service.ask('PUT', pod('ns', 'a'), Buffer.from(JSON.stringify({ data: 'x'.repeat(8 * 1024 * 1024) })));
    expect([large.status, large.json.code]).toEqual([200, 1405080]);
    expect(large.json.message).toMatch(/larger than 8388608 bytes/);
    expect((await service.ask('PUT', pod('ns', 'a'), Buffer.from(JSON.stringify({ data: 'x'.repeat(8 * 1024 * 1024 - 20) })))).json.result).toBe(true);
  });

  test('a deep document is stored, and one that no parser takes can still be listed and deleted', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect((await service.ask('PUT', pod('ns', 'deep'), `{"data":${deep}}`)).json.result).toBe(true);
    await service.put(pod('ns', 'flat'), object('flat'));
    expect((await service.get(`${pods('ns')}?field=resourceName`)).json.data).toHaveLength(2);
    const answer = await service.get(`${pods('ns')}?data.metadata.name=flat&field=resourceName`);
    expect(answer.json.result === true ? answer.json.data.length : answer.json.code).toBeOneOf([1, 1405085]);
    expect((await service.ask('DELETE', pod('ns', 'deep'))).json.result).toBe(true);
    expect((await service.get(`${pods('ns')}?data.metadata.name=flat`)).json.data).toHaveLength(1);
  });
});

test('a client that leaves in the middle of its body, or speaks no HTTP, harms nobody', async () => {
  const { port } = new URL(service.server.url);
  await new Promise<void>((resolve) => {
    const sent = request(service.base + pod('ns', 'a'), { method: 'PUT', agent: false, headers: { 'content-length': '1000' } });
    sent.on('error', () => resolve());
    sent.write('{"data":', () => sent.destroy(new Error('gone')));
  });
  await new Promise<void>((resolve) => {
    const socket = connect(Number(port), '127.0.0.1', () => socket.end('nonsense\r\n\r\n'));
    socket.on('close', () => resolve()).on('error', () => resolve());
    socket.resume();
  });
  expect(service.writes).toEqual([]);
});

describe('guarded', () => {
  test('a bearer token is asked for on every path, and nobody is let in while there is none', async () => {
    let token: string | null = 'good';
    await using guarded = await testService({ token: () => token });
    const ask = async (given?: string): Promise<number> =>
      (await fetch(`${guarded.base}${nodes}`, given === undefined ? {} : { headers: { authorization: `Bearer ${given}` } })).status;
    expect([await ask(), await ask('bad!'), await ask('goood'), await ask('good')]).toEqual([401, 401, 401, 200]);
    token = null;
    expect([await ask('good'), await ask('null')]).toEqual([401, 401]);
  });

  test('with a client authority, a client needs a certificate of it', async () => {
    const authority = new TestAuthority();
    const server = authority.issue({ commonName: 'localhost', names: ['IP:127.0.0.1'] });
    const client = authority.issue({ commonName: 'client' });
    const { request: requestTls } = await import('node:https');
    const secured = await startBcsStorage({ tls: { cert: server.cert, key: server.key, ca: authority.cert } });
    try {
      expect(secured.url).toMatch(/^https:/);
      const ask = (own: object): Promise<string> =>
        new Promise((resolve) => {
          const options = { ca: authority.cert, agent: false as const, ...own };
          requestTls(
            `${secured.url}/bcsstorage/v1${nodes}`,
            options,
            (response) => void response.resume().on('end', () => resolve(String(response.statusCode))),
          )
            .on('error', (cause) => resolve(messageOf(cause)))
            .end();
        });
      expect(await ask({ cert: client.cert, key: client.key })).toBe('200');
      expect(await ask({})).not.toBe('200');
    } finally {
      await secured.close();
      authority.remove();
    }
  });

  test.each(['0.0.0.0', '::', 'some.host'])('%s is refused in the open', async (host) => {
    await expect(startBcsStorage({ host })).rejects.toThrow(/anything but loopback needs "tls", and "tls.ca" or "token"/);
    await expect(startBcsStorage({ host, token: () => 'x' })).rejects.toThrow(/anything but loopback/);
    await expect(startBcsStorage({ host, tls: { cert: 'x', key: 'y' } })).rejects.toThrow(/anything but loopback/);
  });

  test('a certificate that is none is named, before anything is opened', async () => {
    await expect(startBcsStorage({ tls: { cert: 'x', key: 'y' } })).rejects.toThrow(/The certificate and its key cannot be used: /);
  });
});
