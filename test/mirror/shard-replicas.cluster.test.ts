import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { seededRandom } from '../../src/kit/random.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { Crew, shardsOf } from './support/crew.ts';
import { makeConfigMaps, PlaneChurn } from './support/plane-churn.ts';
import { applyCrd, crd } from './support/ground.ts';

/** As shard-replicas.net.test.ts, on a real control plane: its Leases, their labels, conditions of a delete, and its watch. */

const SHARDS = 3;
const LEASE_MS = 6_000;
const BEYOND_MS = 3_000;
const CONFIG = `
shards: ${SHARDS}
leaderElection: { enabled: true, name: copy, namespace: default, leaseSeconds: 6, renewSeconds: 5, retrySeconds: 1 }
audit: { everySeconds: null }
fence: { maxDeleteShare: 1 }
`;

const seed = Number(process.env['KUBEFOLD_SEED'] ?? systemClock.wall() % 2 ** 32);
const dir = tempDir('shards-cluster');
let plane: ControlPlane;
let churn: PlaneChurn;
let crew: Crew;

beforeAll(async () => {
  plane = await startControlPlane();
  await applyCrd(plane, crd('boats', 'Boat', { scope: 'Namespaced', versions: ['v1'] }));
  await makeConfigMaps(plane, 300, (n) => `map-${n}`, 'default');
  churn = new PlaneChurn(plane, seededRandom(seed));
  writeFileSync(dir.file('kubefold.yaml'), CONFIG);
  crew = new Crew({ kubeconfig: plane.kubeconfigPath, database: dir.file('copy.db'), flags: ['--config', dir.file('kubefold.yaml')] }, SHARDS);
  await crew.join();
  await crew.join();
  await crew.isEven();
}, 180_000);

afterAll(async () => {
  await churn?.stop();
  await crew?.stop();
  await plane?.close();
  dir.remove();
});

interface Leases {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
    readonly spec: { readonly holderIdentity: string };
  }[];
}

async function leases(): Promise<Leases['items']> {
  const { text } = await plane.api('/apis/coordination.k8s.io/v1/namespaces/default/leases?labelSelector=kubefold.io%2Felection%3Dcopy');
  return (JSON.parse(text) as Leases).items;
}
const memberLeases = async (): Promise<number> => (await leases()).filter(({ metadata }) => metadata.name.startsWith('copy-member-')).length;

test(`on a real API server: shared, killed, joined and stopped in churn, with KUBEFOLD_SEED=${seed}`, async () => {
  const shards = (await leases()).filter(({ metadata }) => metadata.name.startsWith('copy-shard-'));
  expect(shards.map(({ metadata }) => metadata.name).sort()).toEqual(['copy-shard-0', 'copy-shard-1', 'copy-shard-2']);
  expect(new Set(shards.map(({ metadata }) => metadata.labels?.['kubefold.io/shards']))).toEqual(new Set(['3']));
  const { identity, own } = await shardsOf(crew.members[0] as (typeof crew.members)[number]);
  expect(shards.filter(({ spec }) => spec.holderIdentity === identity)).toHaveLength(own.length);

  churn.start();
  await systemClock.sleep(500);
  const [victim, survivor] = crew.members;
  if (victim === undefined || survivor === undefined) throw new Error('two were started');
  const since = systemClock.now();
  await victim.kill();
  crew.forget(victim);
  const takenOver = await crew.ownsAll(since, LEASE_MS + BEYOND_MS);
  const joiner = await crew.join();
  await crew.isEven();
  await churn.stop();
  await survivor.provesExact(plane);

  churn.start();
  await systemClock.sleep(500);
  crew.forget(survivor);
  const leftAt = systemClock.now();
  const stopped = survivor.child.stop(30_000);
  const handedOver = await crew.ownsAll(leftAt, LEASE_MS);
  expect((await stopped).code).toBe(0);
  await churn.stop();
  await crew.isEven();
  await joiner.provesExact(plane);
  process.stderr.write(`taken over within ${Math.round(takenOver)} ms, handed over within ${Math.round(handedOver)} ms\n`);
  // One that was killed left its lease behind, one that was stopped did not.
  await until('only who is there has a lease', async () => (await memberLeases()) === 1, { withinMs: 5 * LEASE_MS, everyMs: 250 });
}, 180_000);
