import { readFile } from 'node:fs/promises';
import type { Clock } from '../kit/clock.ts';
import { messageOf, UsageError } from '../model/errors.ts';
import { type ExecCredential, runExecPlugin } from './exec-credential.ts';

/** One way to prove who we are. `authorization` may change over time; the rest of a request does not. */
export interface CredentialSource {
  /** The Authorization header now, or null for none; brings the secret up to date first. */
  authorization(): Promise<string | null>;
  /** Fetches a new secret after a 401, at once. False: there is no other one to try. */
  renew(): Promise<boolean>;
  /** A client certificate that comes with the secret (exec plugins); undefined when there is none. */
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined;
}

export function staticSource(authorization: string | null): CredentialSource {
  return { authorization: () => Promise.resolve(authorization), renew: () => Promise.resolve(false) };
}

/** The kubelet replaces a service account token well before it expires; client-go re-reads every minute at most. */
const TOKEN_FILE_AGE_MS = 30_000;

/** A bearer token in a file that somebody else rotates: never older than half a minute. */
export class TokenFileSource implements CredentialSource {
  readonly #path: string;
  readonly #clock: Clock;
  #token: string | null = null;
  #readAtMs = 0;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  async authorization(): Promise<string> {
    if (this.#token === null || this.#clock.now() - this.#readAtMs >= TOKEN_FILE_AGE_MS) await this.#read();
    return `Bearer ${this.#token ?? ''}`;
  }

  async renew(): Promise<boolean> {
    const before = this.#token;
    await this.#read();
    return this.#token !== before;
  }

  async #read(): Promise<void> {
    try {
      const token = (await readFile(this.#path, 'utf8')).trim();
      if (token === '') throw new Error('it is empty');
      this.#token = token;
    } catch (cause) {
      // While a file is being swapped the token we have is still good; without one nothing works.
      if (this.#token === null) throw new UsageError(`Cannot read the token file ${this.#path}: ${messageOf(cause)}; correct the path or restore the file`);
    }
    this.#readAtMs = this.#clock.now();
  }
}

/** Before its end a credential is renewed by this much, or by a fifth of its life when that is shorter. */
const RENEW_AHEAD_MS = 60_000;
/** A hundred watches refused at once must not run the plugin a hundred times, nor a broken plugin in a circle. */
const RENEW_PAUSE_MS = 10_000;

/** A secret that a function fetches: an exec plugin, or client-node's own authenticators for the old auth-providers. */
export class FetchedSource implements CredentialSource {
  readonly #fetch: () => Promise<ExecCredential>;
  readonly #clock: Clock;
  #current: ExecCredential | null = null;
  #renewAtWallMs = Number.POSITIVE_INFINITY;
  #fetchedAtMs = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | null = null;

  constructor(fetch: () => Promise<ExecCredential>, clock: Clock) {
    this.#fetch = fetch;
    this.#clock = clock;
  }

  get certificate(): { readonly cert: string; readonly key: string } | undefined {
    const { certificate = null, key = null } = this.#current ?? {};
    return certificate === null || key === null ? undefined : { cert: certificate, key };
  }

  async authorization(): Promise<string | null> {
    if (this.#current === null) {
      await this.#once();
    } else if (this.#clock.wall() >= this.#renewAtWallMs && this.#hasRested()) {
      try {
        await this.#once();
      } catch (cause) {
        // Early renewal failed: what we have still works until its end.
        if (this.#current.expiresAtMs !== null && this.#current.expiresAtMs <= this.#clock.wall()) throw cause;
      }
    }
    const token = this.#current?.token ?? null;
    return token === null ? null : `Bearer ${token}`;
  }

  async renew(): Promise<boolean> {
    if (this.#fetching === null && !this.#hasRested()) return false;
    await this.#once();
    return true;
  }

  #hasRested(): boolean {
    return this.#clock.now() - this.#fetchedAtMs >= RENEW_PAUSE_MS;
  }

  #once(): Promise<void> {
    this.#fetching ??= this.#run().finally(() => {
      this.#fetching = null;
      this.#fetchedAtMs = this.#clock.now();
    });
    return this.#fetching;
  }

  async #run(): Promise<void> {
    const next = await this.#fetch();
    const nowMs = this.#clock.wall();
    const leftMs = next.expiresAtMs === null ? Number.POSITIVE_INFINITY : next.expiresAtMs - nowMs;
    this.#current = next;
    this.#renewAtWallMs = nowMs + leftMs - Math.min(RENEW_AHEAD_MS, leftMs / 5);
    if (next.expiresAtMs === null) this.#renewAtWallMs = Number.POSITIVE_INFINITY;
  }
}

export function execSource(options: Parameters<typeof runExecPlugin>, clock: Clock): CredentialSource {
  return new FetchedSource(() => runExecPlugin(...options), clock);
}
