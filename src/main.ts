#!/usr/bin/env node
import { writeSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { type Command, type CommandContext, helpText, parseCommandLine } from './commands/command.ts';
import { didYouMean } from './config/suggest.ts';
import { systemClock } from './kit/clock.ts';
import { keepYoungSmall } from './kit/heap.ts';
import { lastWords } from './kit/last-words.ts';
import { messageOf, UsageError } from './model/errors.ts';
import { VERSION } from './model/version.ts';

// Compiled code is kept in the system's folder for temporary files, if that may be written: 40 ms of CPU less at every later start.
enableCompileCache();

/** Loaded only when asked for: a command pays for its own imports alone. */
const COMMANDS: Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<Command> }>> = {
  run: {
    summary: 'mirrors the cluster of the current kubeconfig, or of the pod it runs in',
    load: async () => {
      keepYoungSmall();
      return (await import('./commands/run.ts')).run;
    },
  },
  demo: { summary: 'mirrors a simulated cluster with churn and shows it live; no cluster needed', load: async () => (await import('./commands/demo.ts')).demo },
  get: { summary: 'reads the copy like kubectl get', load: async () => (await import('./commands/get.ts')).get },
  verify: { summary: 'compares live cluster and copy by content', load: async () => (await import('./commands/verify.ts')).verify },
  confirm: { summary: 'shows deletions that are held by the fence, and lets them happen', load: async () => (await import('./commands/confirm.ts')).confirm },
  parked: { summary: 'shows objects that storage refused, tries them again or forgets them', load: async () => (await import('./commands/parked.ts')).parked },
  bench: {
    summary: 'compares queue strategies on the same loads, and advises workers and memory',
    load: async () => (await import('./commands/bench.ts')).bench,
  },
  hollow: { summary: 'serves a simulated API server with load', load: async () => (await import('./commands/hollow.ts')).hollow },
  storage: {
    summary: "serves the old program's storage routes over SQLite, for tests and small installations",
    load: async () => (await import('./commands/storage.ts')).storage,
  },
  config: { summary: 'checks, prints or describes the configuration', load: async () => (await import('./commands/config.ts')).config },
  rbac: { summary: 'prints the least ClusterRole for a configuration', load: async () => (await import('./commands/rbac.ts')).rbac },
};

function overview(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `kubefold keeps an exact, living copy of a Kubernetes cluster in a database.

Usage: kubefold COMMAND [options]

Commands:
${rows.join('\n')}

Start here:
  kubefold demo                      see it work, without a cluster
  kubefold run                       mirror the current kubeconfig's cluster into ./kubefold.db
  kubefold get pods -A               read the copy
  kubefold verify                    compare it with the cluster

kubefold COMMAND --help tells more. kubefold --version prints the version.
`;
}

async function main(args: readonly string[], context: CommandContext): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    context.stdout(overview());
    return 0;
  }
  if (name === '--version' || name === '-v') {
    context.stdout(`kubefold ${VERSION}\n`);
    return 0;
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (entry === undefined) {
    const near = didYouMean(name, Object.keys(COMMANDS));
    throw new UsageError(`kubefold has no command "${name}"${near === null ? '.' : `; did you mean ${near}?`} See kubefold --help.`);
  }
  if (rest.includes('--version')) {
    context.stdout(`kubefold ${VERSION}\n`);
    return 0;
  }
  const command = await entry.load();
  const parsed = parseCommandLine(command, rest);
  if (parsed.flag('help')) {
    context.stdout(helpText(command));
    return 0;
  }
  return await command.run(parsed, context);
}

/**
 * Signals this close together are one wish: Ctrl-C under `npm start` reaches this process twice, from the terminal and passed on by npm,
 * and must not be taken for impatience.
 */
const SAME_SIGNAL_MS = 500;

/** The first signal asks for an orderly end, a later one ends at once. */
function endBySignals(): AbortSignal {
  const ending = new AbortController();
  let firstAt = 0;
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      const now = systemClock.now();
      if (!ending.signal.aborted) {
        firstAt = now;
        ending.abort();
      } else if (now - firstAt > SAME_SIGNAL_MS) process.exit(1);
    });
  }
  return ending.signal;
}

/** Errors that the engine throws at code that is wrong: they are defects, and their messages may quote what was being worked on. */
const DEFECTS = [SyntaxError, TypeError, RangeError, ReferenceError, URIError];

// Also for rejections that nobody takes. Nothing is saved here: what is durable is so at every moment, and the next start goes on from there.
process.on('uncaughtException', (cause) => {
  try {
    writeSync(process.stderr.fd, `kubefold: ended by a defect of its own: ${lastWords(cause)}\n`);
  } catch {
    // There is nobody left to tell.
  }
  process.exit(1);
});

// A reader that goes away (kubefold get … | head) is no failure of ours.
process.stdout.on('error', (cause: NodeJS.ErrnoException) => process.exit(cause.code === 'EPIPE' ? 0 : 1));

const signal = endBySignals();
let code: number;
try {
  code = await main(process.argv.slice(2), {
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    env: process.env,
    home: homedir(),
    isTerminal: process.stderr.isTTY === true,
    ask: process.stdin.isTTY && process.stderr.isTTY ? async (question) => (await import('./commands/ask.ts')).askOnTerminal(question, signal) : null,
    signal,
  });
} catch (cause) {
  process.stderr.write(`kubefold: ${DEFECTS.some((kind) => cause instanceof kind) ? lastWords(cause) : messageOf(cause)}\n`);
  code = cause instanceof UsageError ? 2 : 1;
}
// What still runs after an orderly end (a write that was given up) must not keep the process; output that was written must arrive.
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
