import { DEFAULTS } from '../config/defaults.ts';
import type { Config } from '../config/schema.ts';
import { checkStorageUrl, parseBcsUrl, redactUrl } from '../config/storage-url.ts';
import type { StorageScheme } from '../config/storage-url.ts';
import { type Clock, systemClock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import { UsageError } from '../model/errors.ts';
import { withMergedRecords } from './merged-records.ts';
import { BcsReader } from './bcs/bcs-reader.ts';
import { BcsStorage } from './bcs/bcs-storage.ts';
import { type Connection, lazily } from './bcs/connection.ts';
import { LooseDocuments } from './bcs/loose-documents.ts';
import { createMemoryStorage } from './memory/memory-storage.ts';
import { createNullStorage } from './null/null-storage.ts';
import { createSqliteReader } from './sqlite/sqlite-reader.ts';
import { createSqliteStorage } from './sqlite/sqlite-storage.ts';
import type { Storage, StorageReader } from './storage.ts';

export interface OpenStorageOptions {
  /** The name under which this cluster's rows are stored. */
  readonly cluster: string;
  readonly clock: Clock;
  readonly log?: Logger | undefined;
  /** How long a small write waits to share a transaction; the engine's default when absent. */
  readonly lingerMs?: number | undefined;
  /** How much of the change log is kept; the engine's default when absent. */
  readonly history?: { readonly maxAgeMs: number; readonly maxBytes: number } | undefined;
  /** The most that the write-ahead log of a SQLite file may take, in bytes; the engine's default when absent. */
  readonly walBytes?: number | undefined;
  /** How to speak to a storage service over HTTP; the defaults of the configuration when absent. */
  readonly http?: HttpSettings | undefined;
}

/** The part of the configuration that the HTTP engine needs. */
export type HttpSettings = Pick<Config['storage'], 'tls' | 'tokenFile' | 'timeoutSeconds'>;
const HTTP_DEFAULTS: HttpSettings = { tls: { caFile: null, certFile: null, keyFile: null }, tokenFile: null, timeoutSeconds: DEFAULTS.storageTimeoutSeconds };

/** Makes the engine that a storage URL names; nothing is opened yet. Throws UsageError when the URL names none that this version has. */
export function openStorage(url: string, options: OpenStorageOptions): Storage {
  const [scheme, rest] = parse(url);
  switch (scheme) {
    case 'sqlite':
      return createSqliteStorage({ path: rest, ...options });
    case 'memory':
      return createMemoryStorage({ cluster: options.cluster, now: () => options.clock.wall() });
    case 'null':
      return createNullStorage();
    case 'bcs+http':
    case 'bcs+https':
      return new BcsStorage({ ...connectionOf(url, options.http, options.clock), cluster: options.cluster, log: options.log ?? null });
    default:
      throw notBuilt(url, scheme);
  }
}

/** Makes the reader of a stored copy; nothing is opened yet. Throws UsageError when the URL names no engine that can be read from another process. */
export function openReader(url: string, http?: HttpSettings): StorageReader {
  return withMergedRecords(readerOf(url, http));
}

function readerOf(url: string, http?: HttpSettings): StorageReader {
  const [scheme, rest] = parse(url);
  switch (scheme) {
    case 'sqlite':
      return createSqliteReader({ path: rest });
    case 'bcs+http':
    case 'bcs+https': {
      const { service, close } = lazily(connectionOf(url, http, systemClock));
      return new BcsReader({ service, clock: systemClock, noEvents: null, onClose: close });
    }
    case 'memory':
    case 'null':
      throw new UsageError(
        `Cannot read the storage "${url}": it keeps nothing outside the process that writes it. Use a file, for example sqlite:./kubefold.db`,
      );
    default:
      throw notBuilt(url, scheme);
  }
}

/** The reader of the copy that this process itself writes with `engine`, for its audit; or why there can be none. */
export function openOwnReader(url: string, engine: Storage): StorageReader | { readonly why: string } {
  const [scheme, rest] = parse(url);
  if (scheme === 'sqlite') return createSqliteReader({ path: rest });
  if (engine instanceof BcsStorage) return engine.reader();
  return isReader(engine) ? engine : { why: `the storage ${scheme}: keeps nothing that could be compared` };
}

/** Documents beside the copy of a cluster; null when the engine of the URL has no place for them. */
export function openLooseDocuments(url: string, { cluster, clock, http }: OpenStorageOptions): LooseDocuments | null {
  const [scheme] = parse(url);
  return scheme === 'bcs+http' || scheme === 'bcs+https' ? new LooseDocuments({ cluster, ...lazily(connectionOf(url, http, clock)) }) : null;
}

function isReader(engine: Storage): engine is Storage & StorageReader {
  return 'list' in engine && 'get' in engine;
}

function parse(url: string): [StorageScheme, string] {
  const check = checkStorageUrl(url);
  if ('rule' in check) throw new UsageError(`Cannot use the storage "${redactUrl(url)}": it ${check.rule}. ${check.fix}`);
  return [check.scheme, url.slice(check.scheme.length + 1)];
}

function connectionOf(url: string, http: HttpSettings = HTTP_DEFAULTS, clock: Clock): Connection {
  const address = parseBcsUrl(url);
  if ('rule' in address) throw new UsageError(`Cannot use the storage "${redactUrl(url)}": it ${address.rule}. ${address.fix}`);
  return { ...address, tls: http.tls, tokenFile: http.tokenFile, timeoutMs: http.timeoutSeconds * 1000, clock };
}

function notBuilt(url: string, scheme: 'postgres'): UsageError {
  return new UsageError(
    `Cannot use the storage "${redactUrl(url)}": the engine "${scheme}" is known but not built into this version. Use sqlite:./kubefold.db`,
  );
}
