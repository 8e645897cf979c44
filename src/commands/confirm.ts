import * as v from 'valibot';
import { systemClock } from '../kit/clock.ts';
import type { HeldPass } from '../model/control.ts';
import { UsageError } from '../model/errors.ts';
import type { ObjectKey } from '../model/key.ts';
import { humanDuration } from '../read/age.ts';
import type { Command, CommandContext, Parsed } from './command.ts';
import { chooseKind } from './kind-choice.ts';
import { ConflictError, MirrorClient, NoMirrorError, RUNNING_MIRROR_OPTIONS } from './mirror-client.ts';
import { readConfig } from './session.ts';

const heldAnswer = v.object({
  cluster: v.string(),
  held: v.array(
    v.object({
      kind: v.string(),
      token: v.string(),
      count: v.number(),
      of: v.number(),
      since: v.number(),
      why: v.string(),
      keys: v.array(v.custom<ObjectKey>((key) => typeof key === 'string')),
    }),
  ),
});
const releasedAnswer = v.object({ released: v.number() });

export const confirm: Command = {
  name: 'confirm',
  summary: 'Shows deletions that are held by the fence, and lets them happen.',
  usage: '[KIND]',
  description: `
When more rows of a kind would be deleted in one pass than fence.maxDeleteShare allows, none is, until
somebody has looked. This shows what would be deleted and asks; exactly what was shown is then deleted.
An object that comes back meanwhile is not.

  kubefold confirm                     every kind
  kubefold confirm pods --all-keys     one kind, with every key
  kubefold confirm --dry-run -o json   only shows, for a program
  kubefold confirm pods --yes          shows and does not ask

Exit code 0: done, or nothing is held. 1: declined, or something else is held by now. 2: there is nobody to ask.`,
  options: {
    ...RUNNING_MIRROR_OPTIONS,
    yes: { type: 'boolean', help: 'Does not ask.' },
    'dry-run': { type: 'boolean', help: 'Only shows what is held.' },
    'all-keys': { type: 'boolean', help: 'Shows every key. Default: the first 10 of each kind.' },
    output: { type: 'string', short: 'o', value: 'FORMAT', help: 'text, or json with every key. Default text.' },
  },
  positionals: { min: 0, max: 1 },
  async run(parsed, context) {
    const isJson = formatOf(parsed) === 'json';
    const client = new MirrorClient((await readConfig(parsed)).config, context.signal);
    const { cluster, held } = v.parse(heldAnswer, await ask(client, `/control/held${isJson || parsed.flag('all-keys') ? '?keys=all' : ''}`));
    const [kind] = parsed.positionals;
    const ids = held.map((pass) => pass.kind);
    const wanted = kind === undefined || held.length === 0 ? null : chooseKind(kind, ids, 'held');
    const chosen = wanted === null ? held : held.filter((pass) => pass.kind === wanted);
    if (isJson) context.stdout(`${JSON.stringify({ cluster, held: chosen })}\n`);
    else for (const pass of chosen) context.stdout(shown(pass, systemClock.wall()));
    if (chosen.length === 0) {
      context.stderr(`No deletion is held in the copy of cluster "${cluster}".\n`);
      return 0;
    }
    if (parsed.flag('dry-run')) return 0;
    if (!parsed.flag('yes') && !(await isAgreed(chosen, context))) {
      context.stderr('Nothing was deleted.\n');
      return 1;
    }
    return await release(client, chosen, context);
  },
};

function formatOf(parsed: Parsed): 'text' | 'json' {
  const format = parsed.text('output') ?? 'text';
  if (format === 'text' || format === 'json') return format;
  throw new UsageError(`--output must be text or json, found "${format}".`);
}

async function ask(client: MirrorClient, path: string): Promise<unknown> {
  try {
    return await client.get(path);
  } catch (cause) {
    if (!(cause instanceof NoMirrorError)) throw cause;
    throw new Error(
      `${cause.message}. Only a running mirror holds deletions: start it (kubefold run), or name where it listens with --listen HOST:PORT or --config FILE`,
      { cause },
    );
  }
}

/** What would be deleted of one kind. */
function shown({ kind, count, of, since, why, keys }: HeldPass, nowMs: number): string {
  const more = count - keys.length;
  const lines = [
    `${kind}: ${count} of ${of} rows would be deleted, held for ${humanDuration(nowMs - since)}`,
    `  because ${why}`,
    ...keys.map((key) => `    ${key}`),
    ...(more > 0 ? [`    and ${more} more; --all-keys shows them`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

async function isAgreed(passes: readonly HeldPass[], context: CommandContext): Promise<boolean> {
  if (context.ask === null)
    throw new UsageError(
      'Nothing was deleted: there is no terminal to ask on. Repeat with --yes when these deletions are right, or with --dry-run only to look.',
    );
  const rows = passes.reduce((sum, { count }) => sum + count, 0);
  const answer = await context.ask(`Delete ${rows === 1 ? 'this row' : `these ${rows} rows`} from the copy? [y/N] `);
  return /^y(es)?$/i.test(answer.trim());
}

async function release(client: MirrorClient, passes: readonly HeldPass[], context: CommandContext): Promise<number> {
  let failures = 0;
  for (const { kind, token, count } of passes) {
    try {
      const { released } = v.parse(releasedAnswer, await client.post('/control/held/confirm', { kind, token, count }));
      context.stderr(`${kind}: ${released} deletions are under way\n`);
    } catch (cause) {
      if (!(cause instanceof ConflictError)) throw cause;
      failures++;
      context.stderr(`kubefold: ${cause.message}\n`);
    }
  }
  return failures === 0 ? 0 : 1;
}
