import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { seededRandom } from '../kit/random.ts';
import { messageOf, UsageError } from '../model/errors.ts';
import { type FaultRule, parseFault } from './faults.ts';
import { type BcsStorage, startBcsStorage } from './server.ts';

/**
 * The service in a process of its own, for benchmarks and tests that must not share a processor with it: prints `{"url":…,"pid":…}` when it is ready, takes one
 * JSON command a line on its input, answers each with one line, and serves until the input ends, which also comes when the parent dies.
 *
 * Commands: `{"latencyMs":87,"jitterMs":5}`, `{"add":[rule,…]}` with the rules of faults.ts, `{"clear":true}`, `{"resetStats":true}`, `{"cutConnections":true}`,
 * `{}`; every answer is `{"stats":…}` as it was before a reset, or `{"error":…}`.
 */
const OPTIONS = {
  port: { type: 'string', default: '0' },
  path: { type: 'string', default: ':memory:' },
  journal: { type: 'string' },
  'latency-ms': { type: 'string', default: '0' },
  'jitter-ms': { type: 'string', default: '0' },
  fault: { type: 'string', multiple: true },
  seed: { type: 'string', default: '1' },
} as const;

interface ControlLine {
  readonly latencyMs?: number;
  readonly jitterMs?: number;
  readonly add?: readonly FaultRule[];
  readonly clear?: boolean;
  readonly resetStats?: boolean;
  readonly cutConnections?: boolean;
}

const CONTROLS = ['latencyMs', 'jitterMs', 'add', 'clear', 'resetStats', 'cutConnections'];

function control(storage: BcsStorage, line: string): string {
  try {
    const command = JSON.parse(line) as ControlLine;
    for (const name of Object.keys(command)) if (!CONTROLS.includes(name)) throw new UsageError(`Unknown command ${name}: use some of ${CONTROLS.join(', ')}`);
    const { faults } = storage;
    if (command.clear === true) faults.clear();
    if (command.latencyMs !== undefined || command.jitterMs !== undefined) {
      faults.setLatency(command.latencyMs ?? faults.latency.ms, command.jitterMs ?? faults.latency.jitterMs);
    }
    for (const rule of command.add ?? []) faults.add(rule);
    if (command.cutConnections === true) storage.cutConnections();
    const stats = storage.stats();
    if (command.resetStats === true) storage.resetStats();
    return JSON.stringify({ stats });
  } catch (cause) {
    return JSON.stringify({ error: messageOf(cause) });
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: OPTIONS, strict: true });
  const number = (name: 'port' | 'latency-ms' | 'jitter-ms' | 'seed'): number => {
    const value = Number(values[name]);
    if (!Number.isFinite(value) || value < 0) throw new RangeError(`--${name} must be a number >= 0, current value is ${values[name]}`);
    return value;
  };
  const storage = await startBcsStorage({
    port: number('port'),
    path: values.path,
    journal: values.journal,
    random: seededRandom(number('seed')),
    faults: { latencyMs: number('latency-ms'), jitterMs: number('jitter-ms'), rules: (values.fault ?? []).map(parseFault) },
  });
  process.stdout.write(`${JSON.stringify({ url: storage.url, pid: process.pid })}\n`);
  const lines = createInterface({ input: process.stdin });
  process.once('SIGTERM', () => lines.close());
  process.once('SIGINT', () => lines.close());
  for await (const line of lines) if (line.trim() !== '') process.stdout.write(`${control(storage, line)}\n`);
  await storage.close();
}

try {
  await main();
  // An inherited stdin must not keep the process alive.
  process.stdin.destroy();
} catch (cause) {
  process.stderr.write(`${messageOf(cause)}\n`);
  process.exitCode = 2;
}
