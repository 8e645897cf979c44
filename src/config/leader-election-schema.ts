import * as v from 'valibot';
import { DEFAULTS } from './defaults.ts';
import { described, integer, nullable, problem, section, text } from './schema-parts.ts';

/** A name as Kubernetes wants it, for objects and namespaces. */
const name = v.pipe(
  text('For example kubefold.'),
  v.regex(
    /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/,
    problem(
      'must be 1 to 253 small letters, digits, dots or dashes, with a letter or digit at both ends',
      'It names an object in the cluster: for example kubefold.',
    ),
  ),
);

const seconds = (fallback: number, description: string) =>
  v.optional(integer({ min: 1, max: 3600, description: `${description} Default ${fallback}.` }), fallback);

export const leaderElectionSchema = section('Several replicas, of which one writes: they elect it by a Lease in the mirrored cluster. Needs a restart.', {
  enabled: v.optional(
    described(
      v.boolean(problem('must be true or false', 'Write enabled: true.')),
      'Elect. Without it every process writes, so let there be one. The engine memory: keeps a copy for each process, and sqlite: is for replicas on one host. Default false.',
    ),
    false,
  ),
  name: v.optional(described(name, `Name of the Lease. Default ${DEFAULTS.leaseName}.`), DEFAULTS.leaseName),
  namespace: nullable(name, null, 'Namespace of the Lease. Default null: that of the pod, or of the kubeconfig context, else default.'),
  leaseSeconds: seconds(DEFAULTS.leaseSeconds, 'Others take over when the lease was not renewed for so long.'),
  renewSeconds: seconds(DEFAULTS.renewSeconds, 'A leader that could not renew for so long ends, with exit code 3. Less than leaseSeconds.'),
  retrySeconds: seconds(DEFAULTS.leaseRetrySeconds, 'From one attempt to the next. 1.2 times as much must be less than renewSeconds.'),
});

interface Settings {
  readonly leaseSeconds: number;
  readonly renewSeconds: number;
  readonly retrySeconds: number;
}

/** Rules between the keys of the section. */
export function leaderElectionProblems({
  leaseSeconds,
  renewSeconds,
  retrySeconds,
}: Settings): readonly { readonly key: keyof Settings; readonly message: string }[] {
  const found: { key: keyof Settings; message: string }[] = [];
  if (leaseSeconds <= renewSeconds)
    found.push({
      key: 'leaseSeconds',
      message: problem(
        `must be more than renewSeconds, which is ${renewSeconds}`,
        'The time between the two keeps a leader that cannot renew apart from the next one: for example 15 and 10.',
      ),
    });
  if (renewSeconds <= 1.2 * retrySeconds)
    found.push({
      key: 'renewSeconds',
      message: problem(
        `must be more than 1.2 times retrySeconds, which is ${retrySeconds}`,
        'A renewal must have time for a second attempt: for example 10 and 2.',
      ),
    });
  return found;
}
