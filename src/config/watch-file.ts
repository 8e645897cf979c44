import { hash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../kit/clock.ts';
import { messageOf, UsageError } from '../model/errors.ts';
import { type ConfigFlags, loadConfig } from './load.ts';
import type { Config } from './schema.ts';

/** A new version of the file: applied whole, or refused whole. `version` is a short hash of the text, for status and log. */
export type ConfigUpdate = { readonly version: string; readonly config: Config } | { readonly version: string; readonly error: UsageError };

/** The file is read at least this often; events of the directory only make it sooner. Together with SETTLE_MS well within the 2 s that are promised. */
const POLL_MS = 1000;
/** A text counts when it is still the same after this time: editors and `>` leave an empty or half-written file for a moment. */
const SETTLE_MS = 150;
const LONGEST_SETTLE_TRIES = 4;
/** A ConfigMap holds no more. */
const LARGEST_FILE = 1024 * 1024;

export function configVersion(text: string): string {
  return hash('sha256', text, 'hex').slice(0, 12);
}

/** The text of a configuration file; UsageError when it cannot be read or is no configuration by its size. `words` are for files of another kind. */
export async function readConfigFile(path: string, words = { name: `the configuration ${path}`, fix: 'Name a readable file with --config.' }): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      if (size > LARGEST_FILE)
        throw new UsageError(`${path} has ${size} bytes; a configuration has at most ${LARGEST_FILE}. ${words.fix.replace('a readable', 'the right')}`);
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : '';
    const why =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EACCES'
          ? 'it may not be read by this user'
          : code === 'EISDIR'
            ? 'it is a directory'
            : messageOf(cause);
    throw new UsageError(`Cannot read ${words.name}: ${why}. ${words.fix}`);
  }
}

/**
 * Follows the file until `signal` aborts and hands each new version to `onUpdate`, once. `text` is the version that is in use at the start.
 * The path is resolved anew at every read, so that the swap of `..data` in a mounted ConfigMap (the file itself never changes there)
 * is seen like any other change. An error leaves the version in use as it is; the same text is not reported twice. Never rejects.
 */
export async function followConfigFile(options: {
  readonly path: string;
  readonly text: string;
  /** Gives the text of a version, where it is more than the content of the file. Throws UsageError. Default readConfigFile. */
  readonly read?: ((path: string) => Promise<string>) | undefined;
  readonly flags?: ConfigFlags;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onUpdate: (update: ConfigUpdate) => void;
}): Promise<void> {
  const { path, clock, signal, onUpdate, read = readConfigFile } = options;
  /** The text last reported, or the message of the last failure to read. */
  let known = options.text;
  const naps = new Naps(clock, signal);
  const watcher = watchDirectory(dirname(path), () => naps.wake());
  try {
    while (!signal.aborted) {
      await naps.nap(POLL_MS);
      if (signal.aborted) return;
      let seen = await attempt(path, read);
      if (seen.content === known) continue;
      for (let tries = 0; tries < LONGEST_SETTLE_TRIES; tries++) {
        await clock.sleep(SETTLE_MS, signal);
        if (signal.aborted) return;
        const again = await attempt(path, read);
        if (again.content === seen.content) break;
        seen = again;
      }
      if (seen.content === known) continue;
      known = seen.content;
      onUpdate(evaluate(seen, path, options.flags ?? {}));
    }
  } finally {
    watcher?.close();
  }
}

type Attempt = { readonly content: string; readonly error: UsageError | null };

async function attempt(path: string, read: (path: string) => Promise<string>): Promise<Attempt> {
  try {
    return { content: await read(path), error: null };
  } catch (cause) {
    const error = cause instanceof UsageError ? cause : new UsageError(messageOf(cause));
    return { content: `\0${error.message}`, error };
  }
}

function evaluate({ content, error }: Attempt, file: string, flags: ConfigFlags): ConfigUpdate {
  const version = configVersion(content);
  if (error !== null) return { version, error };
  if (content.trim() === '')
    return { version, error: new UsageError(`${file} has become empty; the configuration in use stays. Write {} if every default is meant.`) };
  try {
    return { version, config: loadConfig({ text: content, file, flags }) };
  } catch (cause) {
    return { version, error: cause instanceof UsageError ? cause : new UsageError(`${file}: ${messageOf(cause)}`) };
  }
}

/** Null where the system has no watches left (or none at all): polling goes on. */
function watchDirectory(directory: string, onChange: () => void): FSWatcher | null {
  try {
    const watcher = watch(directory, { persistent: false }, onChange);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return null;
  }
}

/** Sleeps that a hint may end early; a hint that comes while nobody sleeps ends the next one. */
class Naps {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #current: AbortController | null = null;
  #hinted = false;

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
  }

  wake(): void {
    this.#hinted = true;
    this.#current?.abort();
  }

  async nap(ms: number): Promise<void> {
    if (!this.#hinted && !this.#signal.aborted) {
      const current = new AbortController();
      const stop = (): void => current.abort();
      this.#current = current;
      this.#signal.addEventListener('abort', stop, { once: true });
      await this.#clock.sleep(ms, current.signal);
      this.#signal.removeEventListener('abort', stop);
      this.#current = null;
    }
    this.#hinted = false;
  }
}
