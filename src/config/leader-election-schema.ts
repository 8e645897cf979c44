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

export const leaderElectionSchema = section(
  'Several replicas, of which one writes, or one each shard: they elect it by a Lease in the mirrored cluster. Needs a restart.',
  {
    enabled: v.optional(
      described(
        v.boolean(problem('must be true or false', 'Write enabled: true.')),
        'Elect. Without it every process writes, so let there be one. The engine memory: keeps a copy for each process, and sqlite: is for replicas on one host. Default false.',
      ),
      false,
    ),
    name: v.optional(
      described(name, `Name of the Lease; with shards the beginning of several: NAME-shard-0, NAME-member-ID. Default ${DEFAULTS.leaseName}.`),
      DEFAULTS.leaseName,
    ),
    namespace: nullable(name, null, 'Namespace of the Lease. Default null: that of the pod, or of the kubeconfig context, else default.'),
    leaseSeconds: seconds(DEFAULTS.leaseSeconds, 'Others take over when the lease was not renewed for so long.'),
    renewSeconds: seconds(DEFAULTS.renewSeconds, 'A leader that could not renew for so long ends, with exit code 3. Less than leaseSeconds.'),
    retrySeconds: seconds(DEFAULTS.leaseRetrySeconds, 'From one attempt to the next. 1.2 times as much must be less than renewSeconds.'),
  },
);

/** What the value of a label may be as long as: leases of shards are found by one. */
const LONGEST_LABEL = 63;

interface Settings {
  readonly enabled: boolean;
  readonly name: string;
  readonly leaseSeconds: number;
  readonly renewSeconds: number;
  readonly retrySeconds: number;
}

/** Rules between the keys of the section, and with `shards`. */
export function leaderElectionProblems(
  { enabled, name: leaseName, leaseSeconds, renewSeconds, retrySeconds }: Settings,
  shards: number,
): readonly { readonly key: keyof Settings; readonly message: string }[] {
  const found: { key: keyof Settings; message: string }[] = [];
  if (shards > 1 && !enabled)
    found.push({
      key: 'enabled',
      message: problem(
        `must be true with shards: ${shards}`,
        'Each shard is written by whoever holds its lease, and a replica that is alone holds all of them. Or leave shards at 1.',
      ),
    });
  if (shards > 1 && leaseName.length > LONGEST_LABEL)
    found.push({
      key: 'name',
      message: problem(
        `must be at most ${LONGEST_LABEL} characters long with shards: ${shards}`,
        'The leases of the shards are labelled with it: for example kubefold.',
      ),
    });
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
