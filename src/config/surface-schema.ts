import * as v from 'valibot';
import { isLoopback, parseListen } from './listen.ts';
import { described, nullable, problem, section, text } from './schema-parts.ts';

export const tlsSchema = section('Certificate of the HTTP surface. Needs a restart.', {
  certFile: nullable(text('The path of a PEM file.'), null, 'PEM file with the certificate chain. Default null: plain HTTP, loopback only.'),
  keyFile: nullable(text('The path of a PEM file.'), null, 'PEM file with its private key. Default null.'),
});

export const authSchema = section('Who may read over HTTP, on an address that is not loopback. Needs a restart.', {
  tokenReview: v.optional(
    described(
      v.boolean(problem('must be true or false', 'Write tokenReview: true.')),
      'Let bearer tokens of the mirrored cluster in: TokenReview says whose they are, SubjectAccessReview whether its roles allow the method (get, post) on the path (nonResourceURLs). A yes is believed for 30 s. kubefold rbac prints the two rights that it takes. Default false.',
    ),
    false,
  ),
  tokenFile: nullable(text('The path of a file.'), null, 'File with one static bearer token, which may do everything. Default null.'),
});

export const metricsSchema = section('What /metrics shows. Needs a restart.', {
  bcsNames: v.optional(
    described(
      v.boolean(problem('must be true or false', 'Write bcsNames: true.')),
      'Show the names of bcs-k8s-watch (bkbcs_k8swatch_*, bcs_k8s_watch_*) beside ours, for its dashboards. Default false.',
    ),
    false,
  ),
});

export const debugSchema = section('For finding out what the process does. Needs a restart.', {
  enabled: v.optional(
    described(
      v.boolean(problem('must be true or false', 'Write enabled: true.')),
      'Serve /debug: the keys in the queues, a CPU profile and a heap snapshot, which holds object bodies and credentials. Only with listen on loopback, and only to it. Default false.',
    ),
    false,
  ),
});

/** Rules between the keys of the surface: what is not loopback takes TLS and somebody who is asked who they are. */
export function surfaceProblems({
  listen,
  tls: { certFile, keyFile },
  auth: { tokenReview, tokenFile },
  debug,
}: {
  readonly listen: string;
  readonly tls: { readonly certFile: string | null; readonly keyFile: string | null };
  readonly auth: { readonly tokenReview: boolean; readonly tokenFile: string | null };
  readonly debug: { readonly enabled: boolean };
}) {
  const found: { readonly path: readonly string[]; readonly message: string; readonly found: unknown }[] = [];
  if ((certFile === null) !== (keyFile === null)) {
    const missing = certFile === null ? 'certFile' : 'keyFile';
    const message = problem('must be set together with the other file of tls', 'Set both certFile and keyFile, or neither.');
    found.push({ path: ['tls', missing], message, found: null });
  }
  const address = listen === 'off' ? null : parseListen(listen);
  if (address === null || isLoopback(address)) return found;
  // A heap snapshot holds everything, so it is nothing for an address that others reach.
  if (debug.enabled) {
    const message = problem('must be false unless listen is a loopback address', 'Set listen: 127.0.0.1:8080 for as long as it is needed.');
    found.push({ path: ['debug', 'enabled'], message, found: true });
  }
  if (certFile === null && keyFile === null) {
    const message = problem('must be a loopback address unless tls is set', 'Use 127.0.0.1:8080, or set tls.certFile and tls.keyFile and auth.');
    found.push({ path: ['listen'], message, found: listen });
  }
  if (tokenFile === null && !tokenReview) {
    const message = problem(
      'must be a loopback address unless auth.tokenReview or auth.tokenFile is set',
      'Use 127.0.0.1:8080, or set auth.tokenReview: true or auth.tokenFile.',
    );
    found.push({ path: ['listen'], message, found: listen });
  }
  return found;
}
