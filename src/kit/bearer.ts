import { timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The bearer token in a file; null when there is none: then nobody is let in. Read at each request, so that a rotated token works at once. */
export function readBearer(path: string): string | null {
  try {
    const token = readFileSync(path, 'utf8').trim();
    return token === '' ? null : token;
  } catch {
    return null;
  }
}

/** The token that an Authorization header carries; null when it carries none. */
export function bearerOf(authorization: string | undefined): string | null {
  return /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? null;
}

/** Whether an Authorization header carries exactly this token; how long it takes says nothing about where they differ. */
export function carriesBearer(authorization: string | undefined, token: string | null): boolean {
  if (token === null) return false;
  const wanted = Buffer.from(`Bearer ${token}`);
  const given = Buffer.from(authorization ?? '');
  return wanted.length === given.length && timingSafeEqual(wanted, given);
}
