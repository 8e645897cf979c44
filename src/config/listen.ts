import { UsageError } from '../model/errors.ts';

/** Where the HTTP surface listens. */
export interface ListenAddress {
  /** Without brackets; `''` is every address of the machine. */
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:8080`, `[::1]:8080`, `localhost:0`, `:8080` (every address); null when it is none of these. */
export function parseListen(text: string): ListenAddress | null {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]*)):([0-9]{1,5})$/.exec(text);
  if (parts === null) return null;
  const port = Number(parts[3]);
  return port <= 65535 ? { host: parts[1] ?? parts[2] ?? '', port } : null;
}

/** Only such an address needs neither TLS nor a token (design.md section 7). A name other than `localhost` may mean anything. */
export function isLoopback(address: ListenAddress): boolean {
  return address.host === 'localhost' || address.host === '::1' || /^127(?:\.[0-9]{1,3}){3}$/.test(address.host);
}

/** With a certificate and somebody who is asked who they are the surface speaks TLS, on whatever address; null: it does not. */
export function securedBy({
  tls: { certFile, keyFile },
  auth: { tokenFile, tokenReview },
}: {
  readonly tls: { readonly certFile: string | null; readonly keyFile: string | null };
  readonly auth: { readonly tokenFile: string | null; readonly tokenReview: boolean };
}) {
  return certFile !== null && keyFile !== null && (tokenFile !== null || tokenReview) ? { certFile, keyFile, tokenFile, tokenReview } : null;
}

/** What to tell the user when the address could not be taken; `code` is that of the socket's error. */
export function listenFailure(listen: string, code: string): UsageError {
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: 'the port is in use by another process. Stop that process, or choose another port with --listen HOST:PORT (port 0 takes any free one)',
    EADDRNOTAVAIL: 'this machine has no such address. Use 127.0.0.1, or an address that the machine has',
    EACCES: 'this user may not take that port. Use a port of 1024 or above',
    ENOTFOUND: 'the host name is not known. Use an IP address',
  };
  return new UsageError(
    `Cannot listen on ${listen} (listen, --listen): ${why[code] ?? `the system refused it (${code}). Choose another address with --listen HOST:PORT`}.`,
  );
}
