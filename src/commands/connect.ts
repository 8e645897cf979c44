import { createCluster } from '../cluster/api-cluster.ts';
import type { Discovery } from '../cluster/cluster.ts';
import { describeConnectError } from '../cluster/connect-error.ts';
import { type Credentials, loadCredentials } from '../cluster/credentials.ts';
import { systemClock } from '../kit/clock.ts';
import { UsageError } from '../model/errors.ts';
import { VERSION } from '../model/version.ts';
import type { CommandContext, Parsed } from './command.ts';

/** The cluster that the command line means (CLUSTER_OPTIONS). */
export function credentialsOf(parsed: Parsed, context: CommandContext): Promise<Credentials> {
  return loadCredentials({
    kubeconfig: parsed.text('kubeconfig'),
    context: parsed.text('context'),
    env: context.env,
    home: context.home,
    clock: systemClock,
  });
}

/** Asks that cluster which kinds it has; an error says what to do. */
export async function discoverOnce(parsed: Parsed, context: CommandContext): Promise<Discovery> {
  const cluster = createCluster({ credentials: await credentialsOf(parsed, context), clock: systemClock, version: VERSION });
  try {
    return await cluster.discover(context.signal);
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new Error(describeConnectError(cause, cluster.address), { cause });
  } finally {
    await cluster.close();
  }
}
