import * as v from 'valibot';
import { described, problem, section } from './schema-parts.ts';

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

/** A heap snapshot holds everything, so it is nothing for an address that others reach. */
export function debugProblems({ enabled }: { readonly enabled: boolean }) {
  const message = problem('must be false unless listen is a loopback address', 'Set listen: 127.0.0.1:8080 for as long as it is needed.');
  return enabled ? [{ path: ['debug', 'enabled'], message, found: true }] : [];
}
