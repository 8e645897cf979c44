import { parseArgs } from 'node:util';
import { systemClock } from '../kit/clock.ts';
import { messageOf } from '../model/errors.ts';
import { seedCluster, startChurn } from './load.ts';
import { startHollow } from './server.ts';

/**
 * A hollow cluster in a process of its own, for benchmarks and tests: prints `{"url":…,"pid":…}` when it is ready and serves until
 * SIGTERM, SIGINT or, with --until-stdin-closes, the end of its input, which also comes when the parent dies.
 */
const OPTIONS = {
  port: { type: 'string', default: '0' },
  pods: { type: 'string', default: '0' },
  nodes: { type: 'string', default: '50' },
  namespaces: { type: 'string', default: '10' },
  churn: { type: 'string', default: '0' },
  'churn-mix': { type: 'string', default: '' },
  'pod-bytes': { type: 'string', default: '4096' },
  'managed-bytes': { type: 'string', default: '2800' },
  seed: { type: 'string', default: '1' },
  'bookmark-seconds': { type: 'string', default: '60' },
  history: { type: 'string', default: '10000' },
  'no-apps': { type: 'boolean', default: false },
  'until-stdin-closes': { type: 'boolean', default: false },
} as const;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: OPTIONS, strict: true });
  const number = (name: Exclude<keyof typeof OPTIONS, 'no-apps' | 'until-stdin-closes' | 'churn-mix'>): number => {
    const value = Number(values[name]);
    if (!Number.isFinite(value) || value < 0) throw new RangeError(`--${name} must be a number >= 0, current value is ${values[name]}`);
    return value;
  };
  const shape = { bytes: number('pod-bytes'), managedBytes: number('managed-bytes'), nodes: number('nodes'), namespaces: number('namespaces') };
  const pods = number('pods');
  const hollow = await startHollow({ port: number('port'), bookmarkSeconds: number('bookmark-seconds'), history: number('history') });
  seedCluster(hollow, { ...shape, pods, apps: !values['no-apps'] });
  const rate = number('churn');
  const mix = values['churn-mix'] === 'status' ? { mix: { status: 1 } } : {};
  const churn = rate > 0 ? startChurn(hollow, { ...shape, ...mix, pods, changesPerSecond: rate, seed: number('seed'), clock: systemClock }) : null;
  process.stdout.write(`${JSON.stringify({ url: hollow.url, pid: process.pid })}\n`);
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
    if (values['until-stdin-closes']) process.stdin.once('end', resolve).once('error', resolve).resume();
  });
  churn?.stop();
  await hollow.close();
}

try {
  await main();
  // An inherited stdin must not keep the process alive.
  process.stdin.destroy();
} catch (cause) {
  process.stderr.write(`${messageOf(cause)}\n`);
  process.exitCode = 2;
}
