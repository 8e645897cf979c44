import * as v from 'valibot';
import type { Config } from '../config/schema.ts';
import { redactUrl } from '../config/storage-url.ts';
import { systemClock } from '../kit/clock.ts';
import type { ParkedChoice, ParkedObject } from '../model/control.ts';
import { UsageError } from '../model/errors.ts';
import type { ObjectKey } from '../model/key.ts';
import { humanDuration } from '../read/age.ts';
import { TableWriter } from '../read/table.ts';
import { openReader } from '../storage/open.ts';
import type { Command, CommandContext, Parsed } from './command.ts';
import { chooseKind } from './kind-choice.ts';
import { MirrorClient, NoMirrorError, RUNNING_MIRROR_OPTIONS } from './mirror-client.ts';
import { MIRROR_OPTIONS, readConfig } from './session.ts';

const key = v.custom<ObjectKey>((text) => typeof text === 'string');
const parkedAnswer = v.object({
  cluster: v.string(),
  parked: v.array(v.object({ kind: v.string(), key, uid: v.string(), revision: v.string(), error: v.string(), attempts: v.number(), since: v.number() })),
});
const doneAnswer = v.union([v.object({ retried: v.number() }), v.object({ dropped: v.number() })]);

interface Listed extends ParkedObject {
  readonly cluster: string;
}

export const parked: Command = {
  name: 'parked',
  summary: 'Shows objects that storage refused for good, has them tried again, or forgets them.',
  usage: 'list | retry|drop KIND NAMESPACE/NAME | retry|drop --all',
  description: `
An object that storage will never take as it is (too large, no valid JSON) is parked alone: everything else
goes on. It is tried again when it changes, at every start of the mirror, and by retry.

  kubefold parked list                         every parked object, with the error; also without a running mirror
  kubefold parked retry pods default/web-0     writes one of them once more
  kubefold parked retry --all                  all of them, after the reason was taken away
  kubefold parked drop pods default/web-0      forgets that it was refused; what is stored of it stays as it is`,
  options: {
    ...RUNNING_MIRROR_OPTIONS,
    ...Object.fromEntries(Object.entries(MIRROR_OPTIONS).filter(([name]) => name === 'storage' || name === 'cluster-name')),
    all: { type: 'boolean', help: 'Retries or drops every parked object.' },
    output: { type: 'string', short: 'o', value: 'FORMAT', help: 'Of list: table or json. Default table.' },
  },
  positionals: { min: 1, max: 3 },
  async run(parsed, context) {
    const [verb, ...rest] = parsed.positionals;
    switch (verb) {
      case 'list':
        if (rest.length > 0) throw new UsageError(`kubefold parked list takes no further arguments, found "${rest.join(' ')}".`);
        return await list(parsed, context);
      case 'retry':
      case 'drop':
        return await decide(verb, rest, parsed, context);
      default:
        throw new UsageError(`kubefold parked has no "${verb}": use list, retry or drop.`);
    }
  },
};

async function list(parsed: Parsed, context: CommandContext): Promise<number> {
  const format = parsed.text('output') ?? 'table';
  if (format !== 'table' && format !== 'json') throw new UsageError(`--output must be table or json, found "${format}".`);
  const { config } = await readConfig(parsed);
  const rows = await parkedObjects(config, context);
  if (format === 'json') {
    context.stdout(`${JSON.stringify({ parked: rows })}\n`);
    return 0;
  }
  if (rows.length === 0) {
    context.stderr('Nothing is parked.\n');
    return 0;
  }
  const nowMs = systemClock.wall();
  const isOne = new Set(rows.map(({ cluster }) => cluster)).size === 1;
  const table = new TableWriter(context.stdout);
  const push = (cluster: string, cells: readonly string[]): void => table.push(isOne ? [...cells] : [cluster, ...cells]);
  push('CLUSTER', ['KIND', 'OBJECT', 'ATTEMPTS', 'AGE', 'ERROR']);
  for (const { cluster, kind, key: object, attempts, since, error } of rows)
    push(cluster, [kind, object, String(attempts), humanDuration(nowMs - since), error]);
  table.end();
  return 0;
}

/** From the running mirror, or when there is none from what the last one recorded. */
async function parkedObjects(config: Config, context: CommandContext): Promise<readonly Listed[]> {
  if (config.listen !== 'off') {
    try {
      const { cluster, parked: rows } = v.parse(parkedAnswer, await new MirrorClient(config, context.signal).get('/control/parked'));
      return rows.map((row) => ({ cluster, ...row }));
    } catch (cause) {
      if (!(cause instanceof NoMirrorError)) throw cause;
      context.stderr(`${cause.message}; this is what ${redactUrl(config.storage.url)} has on record.\n`);
    }
  }
  const reader = openReader(config.storage.url, config.storage);
  try {
    const clusters = config.cluster.name === null ? await reader.clusters() : [config.cluster.name];
    const rows: Listed[] = [];
    for (const cluster of clusters) rows.push(...(await reader.parked(cluster)).map((row) => ({ cluster, ...row })));
    return rows;
  } finally {
    await reader.close();
  }
}

async function decide(verb: 'retry' | 'drop', [kind, object, ...more]: readonly string[], parsed: Parsed, context: CommandContext): Promise<number> {
  const isAll = parsed.flag('all');
  if (isAll ? kind !== undefined : kind === undefined || object === undefined || more.length > 0)
    throw new UsageError(`kubefold parked ${verb} needs KIND NAMESPACE/NAME, or --all: kubefold parked ${verb} pods default/web-0`);
  const { config } = await readConfig(parsed);
  const client = new MirrorClient(config, context.signal);
  try {
    const { parked: rows } = v.parse(parkedAnswer, await client.get('/control/parked'));
    const kinds = [...new Set(rows.map((row) => row.kind))];
    const choice: ParkedChoice = isAll ? { all: true } : { kind: chooseKind(kind ?? '', kinds, 'parked'), key: object as ObjectKey };
    const done = v.parse(doneAnswer, await client.post(`/control/parked/${verb}`, choice));
    const [count, what] =
      'retried' in done ? [done.retried, 'written once more; kubefold parked list shows what is refused again'] : [done.dropped, 'forgotten'];
    context.stderr(`${count === 1 ? '1 object is' : `${count} objects are`} ${what}\n`);
    return 0;
  } catch (cause) {
    if (!(cause instanceof NoMirrorError)) throw cause;
    throw new Error(
      `${cause.message}. Parked objects are tried again at every start of the mirror (kubefold run); to ask a running one, name where it listens with --listen HOST:PORT or --config FILE`,
      { cause },
    );
  }
}
