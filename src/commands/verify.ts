import { type Difference, verifyKind } from '../audit/verify.ts';
import { createCluster } from '../cluster/api-cluster.ts';
import { describeConnectError } from '../cluster/connect-error.ts';
import { compileRules, planKind } from '../config/rules.ts';
import { clusterNameFrom } from '../config/identity.ts';
import { readSecretKey } from '../config/secret-key.ts';
import { systemClock } from '../kit/clock.ts';
import { VERSION } from '../model/version.ts';
import { openReader } from '../storage/open.ts';
import { CLUSTER_OPTIONS, type Command } from './command.ts';
import { credentialsOf } from './connect.ts';
import { MIRROR_OPTIONS, readConfig } from './session.ts';

export const verify: Command = {
  name: 'verify',
  summary: 'Compares live cluster and copy by content.',
  usage: '',
  description: `
Lists every mirrored kind from the API server and compares each object with its row, by uid, revision and
content. It works beside a running mirror: what differs is looked at again for 10 s before it counts.
Use the configuration and flags that the mirror runs with.

Exit code 0: equal. 1: different, each difference is listed. 2: could not tell.`,
  options: {
    ...Object.fromEntries(Object.entries(MIRROR_OPTIONS).filter(([name]) => name !== 'listen')),
    ...CLUSTER_OPTIONS,
    json: { type: 'boolean', help: 'One JSON object per line: each difference, then the summary.' },
  },
  positionals: { min: 0, max: 0 },
  async run(parsed, context) {
    const { config } = await readConfig(parsed);
    const clock = systemClock;
    const credentials = await credentialsOf(parsed, context);
    const clusterName = clusterNameFrom(config, credentials.contextName);
    const reader = openReader(config.storage.url);
    const cluster = createCluster({ credentials, clock, version: VERSION });
    const totals = { kinds: 0, objects: 0, differences: 0, unknown: 0 };
    const write = (line: object, text: string): void => context.stdout(parsed.flag('json') ? `${JSON.stringify(line)}\n` : `${text}\n`);
    const cannotTell = (what: string, cause: unknown): void => {
      totals.unknown++;
      const error = describeConnectError(cause, cluster.address);
      write({ kind: what, drift: 'unknown', error }, `${what}: could not tell: ${error}`);
    };
    try {
      const discovery = await cluster.discover(context.signal);
      const secretKey = await readSecretKey(config, () => cluster.identity(context.signal));
      const rules = compileRules(config);
      const plans = discovery.kinds.map((kind) => planKind(kind, rules)).filter((plan) => plan.mirror);
      for (const { groupVersion, error } of discovery.broken) cannotTell(groupVersion, new Error(`its discovery failed: ${error}`));
      for (const plan of plans) {
        try {
          const comparing = verifyKind({ plan, clusterName, cluster, reader, secretKey, clock, signal: context.signal });
          let step = await comparing.next();
          for (; !step.done; step = await comparing.next()) {
            if (step.value.drift === 'unknown') totals.unknown++;
            else totals.differences++;
            write(step.value, differenceText(step.value));
          }
          totals.objects += step.value;
          totals.kinds++;
          if (context.isTerminal) context.stderr(`\r\u001b[2Kcompared ${totals.kinds}/${plans.length} kinds, ${totals.objects} objects`);
        } catch (cause) {
          context.signal.throwIfAborted();
          cannotTell(plan.id, cause);
        }
      }
      const planned = new Set(plans.map((plan) => plan.id));
      const hidden = (group: string): boolean => discovery.broken.some(({ groupVersion }) => groupVersion.split('/')[0] === group);
      for (const id of await reader.kinds(clusterName)) {
        if (planned.has(id) || hidden(id.split('.').slice(1).join('.'))) continue;
        const rows = await reader.list({ cluster: clusterName, kind: id, limit: 1000 });
        for (const { key, uid, revision } of rows) {
          totals.differences++;
          const difference: Difference = { kind: id, key, drift: 'surplus', live: null, row: { uid, revision } };
          write(difference, differenceText(difference));
        }
      }
    } catch (cause) {
      // Exit code 1 is for differences alone: whatever kept us from looking is "could not tell".
      if (context.signal.aborted) cannotTell('interrupted', new Error('it was ended before everything was compared'));
      else cannotTell('the cluster', cause);
    } finally {
      if (context.isTerminal) context.stderr('\r\u001b[2K');
      await reader.close();
      await cluster.close();
    }
    const verdict = totals.differences > 0 ? 'different' : totals.unknown > 0 ? 'could not tell' : 'equal';
    write(
      { verdict, ...totals },
      `${verdict}: ${totals.objects} objects of ${totals.kinds} kinds compared, ${totals.differences} differences${totals.unknown === 0 ? '' : `, ${totals.unknown} could not be told`}`,
    );
    return totals.differences > 0 ? 1 : totals.unknown > 0 ? 2 : 0;
  },
};

const MEANING: Readonly<Record<Difference['drift'], string>> = {
  missing: 'missing in the copy',
  surplus: 'in the copy, but not in the cluster',
  uid: 'the copy holds another object of this name',
  revision: 'the copy holds another revision',
  body: 'the copy holds other content',
  unknown: 'changes too fast to be compared',
};

function differenceText({ kind, key, drift, live, row }: Difference): string {
  const side = (seen: Difference['live']): string => (seen === null ? 'nothing' : `${seen.uid} at ${seen.revision}`);
  return `${kind} ${key}: ${MEANING[drift]} (cluster: ${side(live)}; copy: ${side(row)})`;
}
