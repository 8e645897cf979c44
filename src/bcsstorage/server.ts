import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { DatabaseSync } from 'node:sqlite';
import { isLoopback } from '../config/listen.ts';
import { systemClock } from '../kit/clock.ts';
import type { Clock } from '../kit/clock.ts';
import { type Random, seededRandom } from '../kit/random.ts';
import { messageOf, UsageError } from '../model/errors.ts';
import { openDatabase } from './database.ts';
import { type FaultRule, Faults } from './faults.ts';
import { Housekeeper } from './housekeeper.ts';
import { Journal, type WriteEntry } from './journal.ts';
import { Requests } from './requests.ts';
import { createService } from './service.ts';
import { type Stats, StatsCounter } from './stats.ts';
import { WatchBus } from './watch-bus.ts';
import { Writer } from './writer.ts';

export interface BcsStorageOptions {
  /** Default 127.0.0.1. An address that is not loopback needs TLS, and a client authority or a token. */
  readonly host?: string | undefined;
  /** Default 0: a free one. */
  readonly port?: number | undefined;
  /** A SQLite file, or `:memory:`, which is the default. */
  readonly path?: string | undefined;
  /** Times of documents, latencies, retention. Default: the system's. */
  readonly clock?: Clock | undefined;
  /** For shares of faults and jitter. Default: seeded with 1. */
  readonly random?: Random | undefined;
  /** Faults from the start; all of them can be changed live (BcsStorage.faults). */
  readonly faults?: { readonly latencyMs?: number; readonly jitterMs?: number; readonly rules?: readonly FaultRule[] } | undefined;
  /** Told every accepted write, in the order of commits, before its client is answered. */
  readonly onWrite?: ((entry: WriteEntry) => void) | undefined;
  /** A file to which each accepted write is added as a JSON line. */
  readonly journal?: string | undefined;
  /** PEM. Plain HTTP when absent. With `ca`, a client needs a certificate signed by it. */
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer; readonly ca?: string | Buffer | undefined } | undefined;
  /** The bearer token that every request must carry; null when there is none just now, and then nobody is let in. Absent: no token is asked for. */
  readonly token?: (() => string | null) | undefined;
  /** Whether a PUT of an older revision leaves the stored document alone. Default true; false is what the old service does. */
  readonly checksRevisions?: boolean | undefined;
  /** Days that events are kept. Default 15. */
  readonly eventDays?: number | undefined;
}

export interface BcsStorage {
  /** Of the server, without the path: `http://127.0.0.1:50000`. Routes are below `/bcsstorage/v1`. */
  readonly url: string;
  /** The switches by which it misbehaves; may be changed at any time. */
  readonly faults: Faults;
  stats(): Stats;
  /** The most connections and requests, and all counts, begin anew. */
  resetStats(): void;
  /** Cuts every open connection, as a restart would; the service goes on. */
  cutConnections(): void;
  /** What the hourly cleaner does, now. */
  clean(): Promise<void>;
  /** Ends watches with a break object and everything else at once. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts the storage service of specs/bcs-k8s-watch.md section 3 over SQLite; resolves when it listens. Rejects with the socket's error, a StorageError or a UsageError. */
export async function startBcsStorage(options: BcsStorageOptions = {}): Promise<BcsStorage> {
  const { host = '127.0.0.1', clock = systemClock, tls, onWrite } = options;
  if (!isLoopback({ host, port: 0 }) && (tls === undefined || (tls.ca === undefined && options.token === undefined))) {
    throw new UsageError(`Cannot serve on ${host}: anything but loopback needs "tls", and "tls.ca" or "token". Use 127.0.0.1, or give these.`);
  }
  const random = options.random ?? seededRandom(1);
  const faults = new Faults(random);
  faults.setLatency(options.faults?.latencyMs ?? 0, options.faults?.jitterMs ?? 0);
  for (const rule of options.faults?.rules ?? []) faults.add(rule);
  // What may fail comes before what would have to be closed then.
  const server = createListener(tls);
  const db = openDatabase(options.path ?? ':memory:');
  const journal = options.journal === undefined ? null : openJournal(options.journal, db);
  const watches = new WatchBus();
  const stats = new StatsCounter();
  const writer = new Writer(db, ({ entries, changes }) => {
    if (entries.length > 0) journal?.append(entries);
    for (const entry of entries) {
      stats.wrote(entry.outcome);
      onWrite?.(entry);
    }
    watches.publish(changes);
  });
  const service = createService({ db, clock, writer, watches, checksRevisions: options.checksRevisions ?? true });
  const housekeeper = new Housekeeper({ service, clock, random, eventDays: options.eventDays ?? 15 });
  const requests = new Requests({ service, faults, watches, stats, clock, token: options.token ?? null });
  server.on('request', (request, response) => void requests.handle(request, response));
  server.on('connection', (socket) => {
    stats.connected();
    socket.once('close', () => stats.disconnected());
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.port ?? 0, host, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (cause) {
    db.close();
    journal?.close();
    throw cause;
  }
  housekeeper.start();
  const { port } = server.address() as AddressInfo;
  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    housekeeper.stop();
    watches.close();
    // The break objects leave in this turn; then everything is cut.
    await new Promise<void>((resolve) => void setImmediate(resolve));
    server.closeAllConnections();
    await closed;
    await writer.idle();
    db.close();
    journal?.close();
  };
  const closeOnce = (): Promise<void> => {
    closing ??= close();
    return closing;
  };
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    faults,
    stats: () => stats.snapshot(watches.size),
    resetStats: () => stats.reset(),
    cutConnections: () => server.closeAllConnections(),
    clean: () => housekeeper.clean(),
    close: closeOnce,
    [Symbol.asyncDispose]: closeOnce,
  };
}

function openJournal(path: string, db: DatabaseSync): Journal {
  try {
    return new Journal(path);
  } catch (cause) {
    db.close();
    throw cause;
  }
}

function createListener(tls: BcsStorageOptions['tls']): Server {
  const server: Server = tls === undefined ? createServer() : createTlsListener(tls);
  // A Go server keeps idle connections for minutes; Node's five seconds would cut clients in the middle of a request.
  server.keepAliveTimeout = 180_000;
  return server;
}

function createTlsListener({ cert, key, ca }: NonNullable<BcsStorageOptions['tls']>): Server {
  try {
    return createTlsServer({ cert, key, ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }) });
  } catch (cause) {
    throw new UsageError(`The certificate and its key cannot be used: ${messageOf(cause)}. They must be a certificate chain and its private key, in PEM.`);
  }
}
