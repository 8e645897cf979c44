import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { run } from '../support/spawn.ts';
import { manifest, objectOf } from './manifests.ts';
import type { Deployment } from './manifests.ts';

const { listen } = loadConfig({ text: manifest('base/kubefold.yaml'), file: 'manifests/base/kubefold.yaml' });
const container = objectOf<Deployment>('base/deployment.yaml').spec.template.spec.containers[0];

test.each([
  ['startupProbe', '/livez'],
  ['livenessProbe', '/livez'],
  ['readinessProbe', '/readyz'],
] as const)('the %s asks %s where kubefold listens, and passes by a good answer only', async (name, path) => {
  const [program, flag = '', script = ''] = container?.[name].exec.command ?? [];
  expect([program, flag]).toEqual(['node', '-e']);
  expect(script).toContain(`'http://${listen}${path}'`);
  let status = 200;
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const probe = async (): Promise<number | null> => (await run(process.execPath, [flag, script.replace(listen, `127.0.0.1:${port}`)])).code;
  try {
    expect(await probe()).toBe(0);
    status = 503;
    expect(await probe()).toBe(1);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  expect(await probe()).toBe(1);
  expect(asked).toEqual([path, path]);
});
