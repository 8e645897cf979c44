import { CLUSTER_OPTIONS, type Command } from './command.ts';
import { MIRROR_OPTIONS, mirrorSession } from './session.ts';

export const run: Command = {
  name: 'run',
  summary: 'Mirrors a cluster into a database and keeps the copy current.',
  usage: '',
  description: `
Every kind that can be listed and watched is mirrored, custom ones too; Secrets and Leases only when a
rule asks for them. Stop it with Ctrl-C: what is under way is written first.

  kubefold run                                      the current kubeconfig into ./kubefold.db
  kubefold run --once --kinds pods,deployments.apps one exact copy, then exit 0
  kubefold run --config kubefold.yaml               tuned by a file, which is followed
  kubefold run --config bcs-k8s-watch.json --filter filter.json
                                                    in the place of bcs-k8s-watch`,
  options: {
    ...MIRROR_OPTIONS,
    ...CLUSTER_OPTIONS,
    once: { type: 'boolean', help: 'Ends with 0 when the first sync is durable, with 1 when the API server refuses a kind.' },
  },
  positionals: { min: 0, max: 0 },
  run: (parsed, context) => mirrorSession(parsed, context, { once: parsed.flag('once') }),
};
