import { podRoleFor, roleFor } from '../config/rbac.ts';
import { compileRules } from '../config/rules.ts';
import { CLUSTER_OPTIONS, type Command } from './command.ts';
import { discoverOnce } from './connect.ts';
import { kubeconfigOf, MIRROR_OPTIONS, readConfig } from './session.ts';

export const rbac: Command = {
  name: 'rbac',
  summary: 'Prints the least ClusterRole for a configuration.',
  usage: '',
  description: `
Without a cluster the role covers what the rules name; with --from-cluster it lists exactly the kinds that
the cluster has and the rules ask for.

  kubefold rbac --config kubefold.yaml | kubectl apply -f -
  kubefold rbac --from-cluster --kinds pods,deployments.apps
  kubefold rbac --in-pod --config kubefold.yaml`,
  options: {
    ...Object.fromEntries(Object.entries(MIRROR_OPTIONS).filter(([name]) => ['config', 'filter', 'kinds', 'namespace'].includes(name))),
    ...CLUSTER_OPTIONS,
    'from-cluster': { type: 'boolean', help: 'Asks the cluster which kinds it has. Default: only the configuration is read.' },
    'in-pod': { type: 'boolean', help: 'Prints instead the Role for what a pod of it writes in its own namespace: Events, and its Leases if it elects.' },
    name: { type: 'string', value: 'NAME', help: 'Name of the role. Default kubefold.' },
  },
  positionals: { min: 0, max: 0 },
  async run(parsed, context) {
    const { config, imported } = await readConfig(parsed);
    const rules = compileRules(config);
    const name = parsed.text('name') ?? 'kubefold';
    const options = { name, tokenReview: config.auth.tokenReview };
    if (parsed.flag('in-pod')) {
      context.stdout(podRoleFor(config.leaderElection, { name, shards: config.shards }));
      return 0;
    }
    if (!parsed.flag('from-cluster')) {
      context.stdout(roleFor(null, rules, options));
      return 0;
    }
    context.stdout(roleFor((await discoverOnce(parsed, context, kubeconfigOf(parsed, imported))).kinds, rules, options));
    return 0;
  },
};
