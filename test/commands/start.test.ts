import { expect, test } from 'vitest';
import { runOk } from '../support/spawn.ts';

/** Of Node's own modules, those that cost much memory and that no command needs at its start, each with what loads it. */
const HEAVY = {
  'internal/deps/undici/undici': "fetch and WebSocket of Node itself, 13 MiB: any import statement of 'node:http'",
  inspector: "'node:inspector', which only /debug/profile needs",
};

test('what kubefold run loads at its start has nothing heavy that it does not need', async () => {
  // The session, and what it waits for before it listens.
  const modules = ['commands/session.ts', 'web/server.ts'].map((path) => new URL(`../../src/${path}`, import.meta.url).href);
  const script = `for (const url of ${JSON.stringify(modules)}) await import(url); console.log(JSON.stringify(process.moduleLoadList))`;
  const loaded = JSON.parse(await runOk(process.execPath, ['--input-type=module', '-e', script])) as readonly string[];
  expect(loaded).toContain('NativeModule http');
  expect(Object.entries(HEAVY).filter(([name]) => loaded.includes(`NativeModule ${name}`))).toEqual([]);
});
