import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { RequestListener, Server } from 'node:http';
import { createSecureContext } from 'node:tls';
import type { Logger } from '../kit/log.ts';
import { messageOf, UsageError } from '../model/errors.ts';

/** How often the files are looked at. Kubernetes takes up to a minute to bring a new Secret into a pod. */
const LOOK_EVERY_MS = 2_000;

interface Pair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/**
 * A server with the certificate and key of two files. When they change, new connections get the new ones; files that cannot be used, or do not belong to each
 * other yet, change nothing. Throws UsageError when they cannot be used at the start.
 */
export async function startTlsServer(
  files: { readonly certFile: string; readonly keyFile: string },
  parts: { readonly options: object; readonly listener: RequestListener; readonly log: Logger },
): Promise<Server> {
  const { certFile, keyFile } = files;
  const { createServer } = await import('node:https');
  const read = (): Pair => {
    const pair = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
    // Throws when the key is not that of the certificate.
    createSecureContext(pair);
    return pair;
  };
  let current: Pair;
  try {
    current = read();
  } catch (cause) {
    throw new UsageError(
      `tls.certFile ${certFile} and tls.keyFile ${keyFile} cannot be used: ${messageOf(cause)}. They must be a certificate chain and its private key, in PEM.`,
    );
  }
  const server = createServer({ ...parts.options, ...current }, parts.listener);
  const reload = (): void => {
    try {
      const next = read();
      if (next.cert.equals(current.cert) && next.key.equals(current.key)) return;
      server.setSecureContext(next);
      current = next;
      parts.log.info('certificate read again, new connections get it', { certFile });
    } catch (cause) {
      parts.log.warn('a changed certificate cannot be used, the one before it stays', { certFile, keyFile, error: messageOf(cause) });
    }
  };
  // By looking, not by events: what is mounted in a pod is exchanged by a link of its folder, of which a file's events do not tell.
  for (const file of [certFile, keyFile]) watchFile(file, { interval: LOOK_EVERY_MS, persistent: false }, reload);
  server.once('close', () => {
    for (const file of [certFile, keyFile]) unwatchFile(file, reload);
  });
  return server;
}
