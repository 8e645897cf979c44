import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface CertificatePair {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly certFile: string;
  readonly keyFile: string;
}

/** A throw-away certificate authority, made with the openssl program. Elliptic keys: a certificate takes about 10 ms. */
export class TestAuthority {
  readonly directory = mkdtempSync(join(tmpdir(), 'kubefold-certificates-'));
  readonly certFile = join(this.directory, 'ca.crt');
  readonly #keyFile = join(this.directory, 'ca.key');
  #serial = 0;

  constructor() {
    this.#openssl([
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=kubefold test authority',
      '-keyout',
      this.#keyFile,
      '-out',
      this.certFile,
    ]);
  }

  get cert(): Buffer {
    return readFileSync(this.certFile);
  }

  /** `names` as in subjectAltName: `IP:127.0.0.1`, `DNS:localhost`. */
  issue(options: { readonly commonName: string; readonly names?: readonly string[]; readonly days?: number }): CertificatePair {
    const base = join(this.directory, `issued-${++this.#serial}`);
    const [keyFile, requestFile, certFile, extensionFile] = [`${base}.key`, `${base}.csr`, `${base}.crt`, `${base}.ext`];
    this.#openssl([
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-subj',
      `/CN=${options.commonName}`,
      '-keyout',
      keyFile,
      '-out',
      requestFile,
    ]);
    writeFileSync(extensionFile, options.names === undefined ? 'basicConstraints=CA:FALSE\n' : `subjectAltName=${options.names.join(',')}\n`);
    this.#openssl([
      'x509',
      '-req',
      '-in',
      requestFile,
      '-CA',
      this.certFile,
      '-CAkey',
      this.#keyFile,
      '-CAcreateserial',
      '-extfile',
      extensionFile,
      '-days',
      String(options.days ?? 2),
      '-out',
      certFile,
    ]);
    return { cert: readFileSync(certFile), key: readFileSync(keyFile), certFile, keyFile };
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #openssl(args: readonly string[]): void {
    execFileSync('openssl', [...args], { stdio: ['ignore', 'ignore', 'pipe'], timeout: 10_000 });
  }
}
