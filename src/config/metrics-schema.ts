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
