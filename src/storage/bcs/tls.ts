import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { messageOf, UsageError } from '../../model/errors.ts';

/** Paths of PEM files; null: none. The certificate of the service is always verified, by the system's CAs when no other is named. */
export interface TlsFiles {
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
}

/** What the handshake needs; `key` is a secret. */
export interface TlsMaterial {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** Reads and checks the files, once, so that a wrong one is named at the start and not by a failed handshake. Throws UsageError. */
export async function readTls(files: TlsFiles, nowWallMs: number): Promise<TlsMaterial> {
  const { caFile, certFile, keyFile } = files;
  if ((certFile === null) !== (keyFile === null))
    throw new UsageError(`storage.tls has a ${certFile === null ? 'keyFile without a certFile' : 'certFile without a keyFile'}: set both, or neither`);
  const ca = caFile === null ? null : await read(caFile, 'caFile');
  if (ca !== null) check('caFile', caFile ?? '', () => createSecureContext({ ca }) && new X509Certificate(ca));
  if (certFile === null || keyFile === null) return ca === null ? {} : { ca };
  const [cert, key] = [await read(certFile, 'certFile'), await read(keyFile, 'keyFile')];
  check('certFile', certFile, () => new X509Certificate(cert));
  check('keyFile', keyFile, () => createSecureContext({ cert, key }), 'must be the private key of storage.tls.certFile');
  const { validToDate } = new X509Certificate(cert);
  if (validToDate.getTime() < nowWallMs)
    throw new UsageError(`The client certificate of storage.tls.certFile "${certFile}" expired at ${validToDate.toISOString()}: renew it`);
  return { ...(ca === null ? {} : { ca }), cert, key };
}

function check(name: string, file: string, parse: () => unknown, rule = 'must be a certificate in PEM form'): void {
  try {
    parse();
  } catch {
    throw new UsageError(`storage.tls.${name} "${file}" cannot be used: it ${rule}, without a passphrase`);
  }
}

async function read(file: string, name: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new UsageError(`Cannot read storage.tls.${name}: ${messageOf(cause)}; correct the path`);
  }
}

/** The bearer token in a file. Throws UsageError. */
export async function readToken(file: string): Promise<string> {
  let token: string;
  try {
    token = (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    throw new UsageError(`Cannot read storage.tokenFile: ${messageOf(cause)}; correct the path`);
  }
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new UsageError(`storage.tokenFile "${file}" must hold one bearer token, without blanks, and holds ${token === '' ? 'nothing' : 'something else'}`);
}
