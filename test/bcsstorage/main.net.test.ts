import { fileURLToPath } from 'node:url';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { guard } from '../support/guard.ts';
import { run } from '../support/spawn.ts';
import type { Json } from './client.ts';
import { pod } from './client.ts';

const MAIN = fileURLToPath(new URL('../../src/bcsstorage/main.ts', import.meta.url));

let child: ReturnType<typeof start>;
beforeEach(() => {
  child = start('--latency-ms', '1', '--fault', '500=x1');
});
afterEach(() => void child.process.kill('SIGKILL'));

function start(...args: readonly string[]) {
  const process_ = spawn(process.execPath, [MAIN, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  guard(process_);
  const lines = createInterface({ input: process_.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Json> => JSON.parse(String((await lines.next()).value));
  const tell = (line: string): Promise<Json> => {
    process_.stdin.write(`${line}\n`);
    return next();
  };
  return { process: process_, next, tell };
}

test('serves, is told by lines what goes wrong, tells its counts, and ends when its input does', async () => {
  const { url, pid } = await child.next();
  expect(pid).toBe(child.process.pid);
  const put = async (): Promise<number> => (await fetch(`${url}/bcsstorage/v1${pod('ns', 'a')}`, { method: 'PUT', body: '{"data":{}}' })).status;
  expect([await put(), await put()]).toEqual([500, 200]);
  expect((await child.tell('{"resetStats":true}')).stats).toMatchObject({ mostRequests: 1, byMethod: { PUT: 2 }, byOutcome: { created: 1 } });
  expect((await child.tell('{"add":[{"effect":{"type":"status","status":429},"times":1}],"latencyMs":0}')).stats.byMethod).toEqual({});
  expect([await put(), await put()]).toEqual([429, 200]);
  await child.tell('{"add":[{"effect":{"type":"refuse"}}]}');
  await child.tell('{"clear":true}');
  expect(await put()).toBe(200);
  expect((await child.tell('{"bang":1}')).error).toMatch(/Unknown command bang: use some of latencyMs/);
  expect((await child.tell('{"add":[{"effect":{"type":"bang"}}]}')).error).toMatch(/"effect.type" must be one of/);
  expect((await child.tell('nonsense')).error).toMatch(/JSON/);
  const ended = new Promise((resolve) => void child.process.once('exit', (code) => resolve(code)));
  child.process.stdin.end();
  expect(await ended).toBe(0);
});

test('wrong arguments end it with a message and exit code 2', async () => {
  const exit = await run(process.execPath, [MAIN, '--latency-ms', 'soon']);
  expect([exit.code, exit.stderr]).toEqual([2, '--latency-ms must be a number >= 0, current value is soon\n']);
});
