import type { Clock } from '../../kit/clock.ts';
import { BcsHttpClient, type Transport } from './http-client.ts';
import { BcsService } from './service.ts';
import { readTls, readToken, type TlsFiles } from './tls.ts';

/** Where a storage service is, and how to speak to it. */
export interface Connection {
  /** `http://host:port`, each; in the order in which they are preferred. */
  readonly origins: readonly string[];
  /** What stands before `/bcsstorage/v1`: `''` or `/some/prefix`. */
  readonly prefix: string;
  readonly timeoutMs: number;
  readonly tls: TlsFiles;
  readonly tokenFile: string | null;
  readonly clock: Clock;
  /** Carries requests in place of sockets, where a whole world runs on a virtual clock. */
  readonly transport?: ((origin: string) => Transport) | undefined;
}

/** Reads certificates and token; no connection is made before the first request. Throws UsageError. */
export async function connect({ origins, prefix, timeoutMs, tls, tokenFile, clock, transport }: Connection): Promise<BcsService> {
  const token = tokenFile === null ? null : await readToken(tokenFile);
  return new BcsService(new BcsHttpClient({ origins, prefix, timeoutMs, tls: await readTls(tls, clock.wall()), token, clock, transport }));
}

/** A service that is connected when it is first asked. */
export function lazily(connection: Connection): { readonly service: () => Promise<BcsService>; readonly close: () => Promise<void> } {
  let connected: Promise<BcsService> | null = null;
  return {
    service: () => (connected ??= connect(connection)),
    close: async () => (await connected)?.close(),
  };
}
