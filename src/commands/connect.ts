import { createCluster } from '../cluster/api-cluster.ts';
import type { Discovery } from '../cluster/cluster.ts';
import { describeConnectError } from '../cluster/connect-error.ts';
import { type Credentials, loadCredentials } from '../cluster/credentials.ts';
import { systemClock } from '../kit/clock.ts';
import { UsageError } from '../model/errors.ts';
import { VERSION } from '../model/version.ts';
import type { CommandContext, Parsed } from './command.ts';

/** The cluster that the command line means (CLUSTER_OPTIONS); `kubeconfig` is for a configuration that names its own. */
export function credentialsOf(parsed: Parsed, context: CommandContext, kubeconfig = parsed.text('kubeconfig')): Promise<Credentials> {
  return loadCredentials({
    kubeconfig,
    context: parsed.text('context'),
    env: context.env,
    home: context.home,
    clock: systemClock,
  });
}

/** Asks that cluster which kinds it has; an error says what to do. */
export async function discoverOnce(parsed: Parsed, context: CommandContext, kubeconfig = parsed.text('kubeconfig')): Promise<Discovery> {
  const cluster = createCluster({ credentials: await credentialsOf(parsed, context, kubeconfig), clock: systemClock, version: VERSION });
  try {
    return await cluster.discover(context.signal);
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new Error(describeConnectError(cause, cluster.address), { cause });
  } finally {
    await cluster.close();
  }
}
