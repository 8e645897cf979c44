import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { systemClock } from '../kit/clock.ts';

/** Requests are small and answered at once: what takes longer, or is larger, is an attack or a mistake. Times in milliseconds. */
export interface WebLimits {
  /** For the whole request, headers and body, from its first byte; and for the handshake of TLS. */
  readonly requestMs: number;
  /** How long a connection may lie still while an answer waits to be taken. */
  readonly stillMs: number;
  /** For taking the whole answer, in however many small sips. */
  readonly answerMs: number;
  /** How long a connection is kept for a next request. */
  readonly keepMs: number;
  readonly headerBytes: number;
  readonly headers: number;
  readonly connections: number;
  /** Of one address, so that nobody takes the place of all others: probes and Prometheus need a handful. */
  readonly connectionsOfOne: number;
}

export const WEB_LIMITS: WebLimits = {
  requestMs: 10_000,
  stillMs: 15_000,
  answerMs: 60_000,
  keepMs: 5_000,
  headerBytes: 16 * 1024,
  headers: 100,
  connections: 256,
  connectionsOfOne: 64,
};

/** What goes to the constructor of a server. Node looks at requests under way only now and then: more often than the bound, or the bound says nothing. */
export function serverOptions(limits: WebLimits): object {
  const { requestMs, headerBytes, keepMs } = limits;
  return {
    requestTimeout: requestMs,
    headersTimeout: requestMs,
    handshakeTimeout: requestMs,
    connectionsCheckingInterval: Math.ceil(requestMs / 5),
    maxHeaderSize: headerBytes,
    keepAliveTimeout: keepMs,
  };
}

/** Bounds the connections of a server. Before TLS: whoever does not even begin a handshake counts as well. */
export function boundConnections(server: Server, limits: WebLimits): void {
  server.maxConnections = limits.connections;
  server.maxHeadersCount = limits.headers;
  // A client that does not take its answer, or takes it by the byte, keeps it in our memory.
  server.timeout = limits.stillMs;
  server.on('request', (_request, response: ServerResponse) => {
    response.once(
      'close',
      systemClock.after(limits.answerMs, () => response.destroy()),
    );
  });
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const count = (open.get(address) ?? 0) + 1;
    if (count > limits.connectionsOfOne) {
      socket.destroy();
      return;
    }
    open.set(address, count);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
  });
}
