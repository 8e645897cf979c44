import { createApp, type App } from '../app.ts';
import { loadCredentials } from '../cluster/credentials.ts';
import { type ConfigFlags, loadConfig } from '../config/load.ts';
import { redactUrl } from '../config/storage-url.ts';
import type { Imported } from '../config/bcs/import.ts';
import type { Config } from '../config/schema.ts';
import { systemClock } from '../kit/clock.ts';
import { createLogger } from '../kit/log.ts';
import { systemRandom } from '../kit/random.ts';
import { type KindStatus, type MirrorStatus, refused } from '../model/status.ts';
import { LeadershipLostError, UsageError } from '../model/errors.ts';
import { podOf } from '../mirror/pod-events.ts';
import { readConfiguration } from './bcs-files.ts';
import type { CommandContext, OptionTable, Parsed } from './command.ts';
import { LiveLine } from './live-line.ts';
import { statusLine } from './status-line.ts';

/** Options that decide what is mirrored, where to, and how it is shown. */
export const MIRROR_OPTIONS: OptionTable = {
  config: { type: 'string', value: 'FILE', help: 'The configuration (YAML), followed while running. See kubefold config print. Or bcs-k8s-watch.json.' },
  filter: { type: 'string', value: 'FILE', help: 'The filter.json that belongs to a bcs-k8s-watch.json. Default: the one it names.' },
  storage: { type: 'string', value: 'URL', help: 'Where the copy lives. Default sqlite:./kubefold.db.' },
  kinds: { type: 'string', multiple: true, value: 'KINDS', help: 'Mirror only these kinds: pods,deployments.apps; globs allowed.' },
  namespace: { type: 'string', short: 'n', multiple: true, value: 'NS', help: 'Mirror only this namespace.' },
  'cluster-name': { type: 'string', value: 'NAME', help: 'What the copy calls the cluster. Default: the name of the context.' },
  listen: { type: 'string', value: 'HOST:PORT', help: 'Health, metrics and status page; off for none. Default 127.0.0.1:8080.' },
};

/** The exit code of who must write no more. */
const LEADERSHIP_LOST = 3;
const REDRAW_MS = 200;
const WAIT_MS = 25;

export function configFlags(parsed: Parsed): ConfigFlags {
  return {
    storage: parsed.text('storage'),
    kinds: parsed.texts('kinds'),
    namespaces: parsed.texts('namespace'),
    clusterName: parsed.text('cluster-name'),
    listen: parsed.text('listen'),
    tokenFile: parsed.text('token-file'),
    logLevel: parsed.text('log-level'),
    logFormat: parsed.text('log-format'),
  };
}

/** A configuration file, read; `read` gives a later version of it. */
interface ReadFile {
  readonly path: string;
  readonly text: string;
  readonly read: (path: string) => Promise<string>;
}

/** The effective configuration of a command line: its file, if any, and its flags. Two files of bcs-k8s-watch are `imported`. */
export async function readConfig(parsed: Parsed): Promise<{ readonly config: Config; readonly file: ReadFile | null; readonly imported: Imported | null }> {
  const path = parsed.text('config');
  const flags = configFlags(parsed);
  if (path === undefined) {
    if (parsed.text('filter') !== undefined) throw new UsageError('--filter belongs to a bcs-k8s-watch.json: name that with --config.');
    return { config: loadConfig({ text: null, file: 'the command line', flags }), file: null, imported: null };
  }
  const again = (): ReturnType<typeof readConfiguration> =>
    readConfiguration(path, parsed.text('filter'), { storage: flags.storage !== undefined, clusterName: flags.clusterName !== undefined });
  const { text, imported } = await again();
  const config = loadConfig({ text, file: imported === null ? path : `${path}, converted`, flags });
  return { config, file: { path, text, read: async () => (await again()).text }, imported };
}

/** The kubeconfig of the command line, else the one that bcs-k8s-watch was told. */
export function kubeconfigOf(parsed: Parsed, imported: Imported | null): string | undefined {
  const given = parsed.text('kubeconfig');
  if (given !== undefined || imported === null) return given;
  if (imported.master !== '') {
    throw new UsageError(
      `k8s.master is "${imported.master}", and kubefold reads a kubeconfig: name one with --kubeconfig. kubefold config import-bcs prints one that says the same.`,
    );
  }
  return imported.kubeconfig === '' ? undefined : imported.kubeconfig;
}

function logImport(imported: Imported, log: { info(message: string, fields?: object): void; warn(message: string, fields?: object): void }): void {
  log.info('the configuration is one of bcs-k8s-watch: converted, and followed with its filter file. kubefold config import-bcs shows what it became');
  for (const { key, type, text } of imported.notes) {
    if (type === 'lost') log.warn('setting not carried over', { key, why: text });
    else log.info('setting carried over, not quite the same', { key, how: text });
  }
}

/**
 * Runs a mirror until the signal, or with `once` until the first sync is durable. Returns the exit code: with `once` 1 when anything is missing
 * from the copy, be it a kind that the API server refuses or an object that storage does, or when the fence holds rows in it.
 * `kubeconfig` replaces what the command line says, for the demo.
 */
export async function mirrorSession(
  parsed: Parsed,
  context: CommandContext,
  extra: { readonly once: boolean; readonly kubeconfig?: string; readonly flags?: ConfigFlags; readonly greeting?: (app: App) => string },
): Promise<number> {
  const { file, config: read, imported } = await readConfig(parsed);
  const flags = { ...configFlags(parsed), ...extra.flags };
  const config = extra.flags === undefined ? read : loadConfig({ text: file?.text ?? null, file: file?.path ?? 'the command line', flags });
  if (extra.once && config.shards > 1)
    throw new UsageError(`--once makes a copy of everything by itself, and shards is ${config.shards}: leave it at 1, which is the same copy.`);
  const live = context.isTerminal && config.log.format !== 'json' ? new LiveLine(context.stderr, () => process.stderr.columns ?? 100) : null;
  const format = config.log.format ?? (context.isTerminal ? 'pretty' : 'json');
  const write = live === null ? context.stderr : (text: string): void => live.above(text);
  const log = await createLogger({ level: config.log.level, format, write });
  const clock = systemClock;
  const credentials = await loadCredentials({
    kubeconfig: extra.kubeconfig ?? kubeconfigOf(parsed, imported),
    context: parsed.text('context'),
    env: context.env,
    home: context.home,
    clock,
  });
  if (imported !== null) logImport(imported, log);
  const app = await createApp({
    config,
    file: file === null ? null : { ...file, flags },
    credentials,
    clock,
    random: systemRandom,
    log,
    listsFirst: extra.once,
    pod: podOf(context.env),
  });
  log.info('mirroring', { cluster: app.clusterName, server: credentials.server.host, storage: redactUrl(config.storage.url), status: app.url });
  if (extra.greeting !== undefined) write(extra.greeting(app));

  const done = new AbortController();
  const ending = AbortSignal.any([context.signal, done.signal]);
  const startedAt = clock.now();
  let failure: string | null = null;
  let code = 1;
  const watching = watchProgress();
  try {
    await app.run(ending);
  } catch (cause) {
    if (!(cause instanceof LeadershipLostError)) throw cause;
    failure = `leadership is lost: ${cause.message}. Another process writes now, or soon will; start this one again and it stands by`;
    code = LEADERSHIP_LOST;
  } finally {
    done.abort();
    await watching;
    live?.end();
  }
  if (failure !== null) context.stderr(`kubefold: ${failure}\n`);
  return failure === null ? 0 : code;

  async function watchProgress(): Promise<void> {
    let wasReady = false;
    let rate = 0;
    let changes = 0;
    let measuredAt = clock.now();
    let drawnAt = measuredAt;
    while (!ending.aborted) {
      await clock.sleep(wasReady ? REDRAW_MS : WAIT_MS, ending);
      const now = clock.now();
      if (!wasReady && app.isReady()) {
        wasReady = true;
        const { kinds } = app.status();
        const objects = kinds.reduce((sum, kind) => sum + kind.objects, 0);
        log.info('first sync complete', { kinds: kinds.length, objects, seconds: Math.round(now - startedAt) / 1000 });
        if (extra.once) {
          failure = refusedByStorage(kinds) ?? heldByFence(kinds);
          return done.abort();
        }
      }
      if (now - drawnAt < REDRAW_MS) continue;
      drawnAt = now;
      const status = app.status();
      if (now - measuredAt >= 1_000) {
        const seen = app.changes();
        rate = ((seen - changes) * 1000) / (now - measuredAt);
        changes = seen;
        measuredAt = now;
      }
      live?.show(statusLine(status, rate));
      failure = extra.once && !wasReady ? hopelessness(status) : null;
      if (failure !== null) done.abort();
    }
  }
}

/** What is missing from a first sync that is complete otherwise; null when nothing is. */
function refusedByStorage(kinds: readonly KindStatus[]): string | null {
  const parked = kinds.reduce((sum, kind) => sum + kind.parked, 0);
  if (parked === 0) return null;
  const first = kinds.flatMap(({ id, firstParked }) => (firstParked === null ? [] : [`${id} ${firstParked.key}: ${firstParked.error}`]));
  return `the first sync is complete but for ${parked} object${parked === 1 ? '' : 's'} that storage refused: ${first.join('; ')}. Change them in the cluster, or leave them out by a rule (names: { exclude: [...] }); the log names each of them`;
}

/** What the copy has too much after a first sync that is complete otherwise; null when nothing. */
function heldByFence(kinds: readonly KindStatus[]): string | null {
  const held = kinds.filter((kind) => kind.held > 0);
  if (held.length === 0) return null;
  const counts = held.map((kind) => `${kind.held} of ${kind.id}`).join(', ');
  return `the first sync is complete, but rows of objects that are gone are still there, held by the fence: ${counts}. Run without --once and decide with kubefold confirm, or allow it with fence: { maxDeleteShare: 1 }`;
}

/** Why a first sync will never be complete: all that is missing is refused by the API server. Null while there is hope. */
function hopelessness(status: MirrorStatus): string | null {
  if (status.phase === 'connecting' && status.isRefused) return status.error;
  const open = status.kinds.filter((kind) => !kind.complete);
  const hopeless = refused(status);
  if (status.phase !== 'syncing' || open.length === 0 || !open.every((kind) => hopeless.includes(kind))) return null;
  return `the first sync is not complete: ${open.map((kind) => `${kind.id}: ${kind.error}`).join('; ')}. Grant what kubefold rbac prints, or leave the kinds out by a rule with mirror: false`;
}
