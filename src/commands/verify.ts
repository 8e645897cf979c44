import { type ByAge, type Difference, type Untold, verifyKinds } from '../audit/verify.ts';
import { createCluster } from '../cluster/api-cluster.ts';
import { describeConnectError } from '../cluster/connect-error.ts';
import { compileRules, planKind } from '../config/rules.ts';
import { clusterNameFrom } from '../config/identity.ts';
import { readSecretKey } from '../config/secret-key.ts';
import { systemClock } from '../kit/clock.ts';
import { VERSION } from '../model/version.ts';
import { storedRows } from '../read/catalog.ts';
import { openReader } from '../storage/open.ts';
import { CLUSTER_OPTIONS, type Command } from './command.ts';
import { credentialsOf } from './connect.ts';
import { KnownDifferences } from './known-differences.ts';
import { MirrorClient, RUNNING_MIRROR_OPTIONS } from './mirror-client.ts';
import { kubeconfigOf, MIRROR_OPTIONS, readConfig } from './session.ts';

export const verify: Command = {
  name: 'verify',
  summary: 'Compares live cluster and copy by content.',
  usage: '',
  description: `
Lists every mirrored kind from the API server and compares each object with its row, by uid, revision and
content. It works beside a running mirror: what differs is looked at again for 10 s before it counts.
Use the configuration and flags that the mirror runs with. A difference that the mirror knows of, because
storage refused the object or because the deletion is held, is named as that, and is a difference. Events in
the storage service of bcs-k8s-watch go by its clock, not by that of the cluster: those that only one side still
has are counted in a line, and are no difference.

Exit code 0: equal. 1: different, each difference is listed. 2: could not tell.`,
  options: {
    ...MIRROR_OPTIONS,
    ...RUNNING_MIRROR_OPTIONS,
    ...CLUSTER_OPTIONS,
    json: { type: 'boolean', help: 'One JSON object per line: each difference, then the summary.' },
  },
  positionals: { min: 0, max: 0 },
  async run(parsed, context) {
    const { config, imported } = await readConfig(parsed);
    const clock = systemClock;
    const credentials = await credentialsOf(parsed, context, kubeconfigOf(parsed, imported));
    const clusterName = clusterNameFrom(config, credentials.contextName);
    const reader = openReader(config.storage.url, config.storage);
    const cluster = createCluster({ credentials, clock, version: VERSION });
    const totals = { kinds: 0, objects: 0, differences: 0, unknown: 0 };
    const write = (line: object, text: string): void => context.stdout(parsed.flag('json') ? `${JSON.stringify(line)}\n` : `${text}\n`);
    const cannotTell = (found: Untold): void => {
      totals.unknown++;
      write(found, `${found.kind}${found.key === undefined ? '' : ` ${found.key}`}: could not tell: ${found.error}`);
    };
    const failed = (kind: string, cause: unknown): void => cannotTell({ kind, drift: 'unknown', error: describeConnectError(cause, cluster.address) });
    const known = new KnownDifferences(reader, clusterName, () => new MirrorClient(config, context.signal));
    const differs = async (difference: Difference): Promise<void> => {
      totals.differences++;
      const why = await known.reasonOf(difference);
      write(why === null ? difference : { ...difference, known: why }, `${differenceText(difference)}${why === null ? '' : `; known: ${why}`}`);
    };
    try {
      const discovery = await cluster.discover(context.signal);
      const secretKey = await readSecretKey(config, () => cluster.identity(context.signal));
      const rules = compileRules(config);
      const plans = discovery.kinds.map((kind) => planKind(kind, rules)).filter((plan) => plan.mirror);
      for (const { groupVersion, error } of discovery.broken) cannotTell({ kind: groupVersion, drift: 'unknown', error: `its discovery failed: ${error}` });
      const comparing = verifyKinds({
        ...{ plans, clusterName, cluster, reader, secretKey, clock, signal: context.signal },
        explain: (cause) => describeConnectError(cause, cluster.address),
        onProgress: ({ kinds, objects }) => {
          if (!context.isTerminal || objects % 1000 !== 0) return;
          context.stderr(`\r\u001b[2Kcompared ${kinds}/${plans.length} kinds, ${objects} objects`);
        },
      });
      let step = await comparing.next();
      for (; !step.done; step = await comparing.next()) {
        if (step.value.drift === 'unknown') cannotTell(step.value);
        else if (step.value.drift === 'by age') write(step.value, byAgeText(step.value));
        else await differs(step.value);
      }
      totals.kinds = step.value.kinds;
      totals.objects = step.value.objects;
      const planned = new Set(plans.map((plan) => plan.id));
      const hidden = (group: string): boolean => discovery.broken.some(({ groupVersion }) => groupVersion.split('/')[0] === group);
      for (const id of await reader.kinds(clusterName)) {
        if (planned.has(id) || hidden(id.split('.').slice(1).join('.'))) continue;
        const retention = reader.retention?.(id) ?? null;
        let rows = 0;
        for await (const { key, uid, revision } of storedRows({ reader, cluster: clusterName, kind: id, namespace: null, signal: context.signal })) {
          rows++;
          if (retention === null) await differs({ kind: id, key, drift: 'surplus', live: null, row: { uid, revision } });
        }
        if (retention === null) continue;
        const found: ByAge = { kind: id, drift: 'by age', rows, objects: 0, why: retention.why };
        write(found, byAgeText(found));
      }
    } catch (cause) {
      // Exit code 1 is for differences alone: whatever kept us from looking is "could not tell".
      if (context.signal.aborted) cannotTell({ kind: 'interrupted', drift: 'unknown', error: 'it was ended before everything was compared' });
      else failed('the cluster', cause);
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
};

function byAgeText({ kind, rows, objects, why }: ByAge): string {
  return `${kind}: no difference: ${rows} in the copy whose objects are gone, ${objects} in the cluster whose rows are gone; ${why}`;
}

function differenceText({ kind, key, drift, live, row }: Difference): string {
  const side = (seen: Difference['live']): string => (seen === null ? 'nothing' : `${seen.uid} at ${seen.revision}`);
  return `${kind} ${key}: ${MEANING[drift]} (cluster: ${side(live)}; copy: ${side(row)})`;
}
