import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { Cluster, User } from '@kubernetes/client-node/dist/config_types.js';
import { messageOf, UsageError } from '../model/errors.ts';

/** What the TLS handshake needs; `key` is a secret. Compared by identity: a new object means new connections. */
export interface TlsOptions {
  readonly ca?: Buffer;
  readonly cert?: Buffer | string;
  readonly key?: Buffer | string;
  readonly servername?: string;
  readonly rejectUnauthorized?: false;
}

/** Reads and checks the certificates of a context, so that a wrong one is named at start and not by a failed handshake. */
export async function readTlsOptions(cluster: Cluster, user: User, nowWallMs: number): Promise<TlsOptions> {
  const ca = await read(cluster.caFile, cluster.caData, `certificate-authority of cluster "${cluster.name}"`);
  const cert = await read(user.certFile, user.certData, `client-certificate of user "${user.name}"`);
  const key = await read(user.keyFile, user.keyData, `client-key of user "${user.name}"`);
  if ((cert === null) !== (key === null))
    throw new UsageError(
      `User "${user.name}" of the kubeconfig has a client ${cert === null ? 'key without a certificate' : 'certificate without a key'}: give both`,
    );
  if (cert !== null && key !== null) checkClientCertificate(cert, key, `user "${user.name}"${user.certFile ? ` (${user.certFile})` : ''}`, nowWallMs);
  if (ca !== null) {
    try {
      createSecureContext({ ca });
      new X509Certificate(ca);
    } catch {
      throw new UsageError(
        `The certificate-authority of cluster "${cluster.name}"${cluster.caFile ? ` (${cluster.caFile})` : ''} is not a certificate in PEM form: take it anew from the cluster's administrator`,
      );
    }
  }
  return {
    ...(ca === null ? {} : { ca }),
    ...(cert === null || key === null ? {} : { cert, key }),
    ...(cluster.tlsServerName ? { servername: cluster.tlsServerName } : {}),
    ...(cluster.skipTLSVerify ? { rejectUnauthorized: false as const } : {}),
  };
}

/** Throws UsageError naming the certificate when it is expired, unreadable, or not of this key. */
export function checkClientCertificate(cert: Buffer | string, key: Buffer | string, whose: string, nowWallMs: number): void {
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(cert);
    createSecureContext({ cert, key });
  } catch {
    throw new UsageError(
      `The client certificate and key of ${whose} cannot be used: they must be PEM and belong together; sign in again or take new ones from the cluster's administrator`,
    );
  }
  if (parsed.validToDate.getTime() < nowWallMs) {
    throw new UsageError(
      `The client certificate of ${whose}, subject ${parsed.subject.replaceAll('\n', ', ')}, expired at ${parsed.validToDate.toISOString()}: renew it or choose another --context`,
    );
  }
}

async function read(file: string | undefined, data: string | undefined, what: string): Promise<Buffer | null> {
  if (file) {
    try {
      return await readFile(file);
    } catch (cause) {
      throw new UsageError(`Cannot read the ${what}: ${messageOf(cause)}; correct the path in the kubeconfig`);
    }
  }
  return data ? Buffer.from(data, 'base64') : null;
}
