import type { Socket } from 'node:net';
import type { buildConnector as Connect } from 'undici';
import buildConnector from 'undici/lib/core/connect.js';
import type { TlsOptions } from './tls-options.ts';

/**
 * Reads land here, for all connections: a TLS record has at most 16 KiB, a plain read at most this. Every reader copies or
 * consumes a chunk before it returns, and Node fills the buffer only between two such calls, so one buffer serves them all.
 */
const shared = Buffer.allocUnsafe(64 * 1024);

/** client-go's value; cloud load balancers drop a silent connection after 60 s. */
const TCP_KEEP_ALIVE_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Connects so that bytes go from the socket to undici's parser through one reused buffer. Go writes TLS records of about
 * 4 KB, and Node would make an ArrayBuffer for each and let it wait in a stream. Measured on lists of 4 KB pods from a
 * real API server (134 MB): 0.25 CPU s per 100 MB against 0.34 to 0.39, and 130 MB of memory against 180 to 205.
 *
 * What must stay true: whoever reads a body through this connector consumes chunks during the call (PushHandler does;
 * undici's `request()` and `fetch()` do not). What undici leaves unread is copied and kept, so nothing is ever lost.
 */
export function pushConnector(tls: TlsOptions): Connect.connector {
  /** Resumed by the next connection: a hundred watches need one full handshake. Never shared with other TLS options. */
  let session: Buffer | undefined;
  return (options, callback) => {
    let current: Buffer | null = null;
    /** Bytes that were not read in time, in order, copied; served first. */
    const kept: Buffer[] = [];
    const onread = {
      buffer: shared,
      callback(size: number): boolean {
        current = shared.subarray(0, size);
        if (kept.length > 0) keep();
        socket.emit('readable');
        if (current !== null) keep();
        return true;
      },
    };
    const keep = (): void => {
      if (current !== null) kept.push(Buffer.from(current));
      current = null;
    };
    const settings = { ...tls, session, onread, allowH2: false, timeout: CONNECT_TIMEOUT_MS, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS };
    // undici's types hide that its connectors return the socket they open, and hand `onread` on to Node.
    const socket = buildConnector(settings as Connect.BuildOptions)(options, callback) as unknown as Socket;
    socket.on('session', (next: Buffer) => {
      session = next;
    });
    const read = socket.read.bind(socket);
    socket.read = (size?: number): Buffer | null => {
      // read(0) is Node's own way to start reading and to notice the end.
      if (size === 0) return read(0);
      const first = kept.shift();
      if (first !== undefined) return first;
      const chunk = current;
      current = null;
      return chunk;
    };
  };
}
