import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { seededRandom } from '../../src/kit/random.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { tempDir } from '../support/temp-dir.ts';
import { applyCrd, crd } from './support/ground.ts';
import { query } from './support/independent-comparison.ts';
import { LeaderRounds } from './support/leader-rounds.ts';
import { makeConfigMaps, PlaneChurn } from './support/plane-churn.ts';
import { Replicas, statusOf } from './support/replicas.ts';

/** As leadership.net.test.ts, on a real control plane: its Lease, its conflicts, its watch. Ten rounds of each, and what the API server says of the Lease. */

const ROUNDS = Number(process.env['KUBEFOLD_ROUNDS'] ?? 10);
const CONFIG = `
leaderElection: { enabled: true, name: copy, namespace: default, leaseSeconds: 3, renewSeconds: 2, retrySeconds: 1 }
audit: { everySeconds: null }
fence: { maxDeleteShare: 1 }
`;

const seed = Number(process.env['KUBEFOLD_SEED'] ?? systemClock.wall() % 2 ** 32);
const random = seededRandom(seed);
const pause = (maxMs: number): Promise<void> => systemClock.sleep(Math.floor(random.next() * maxMs));

const dir = tempDir('leadership-cluster');
let plane: ControlPlane;
let churn: PlaneChurn;
let replicas: Replicas;
let rounds: LeaderRounds;

beforeAll(async () => {
  plane = await startControlPlane();
  await applyCrd(plane, crd('boats', 'Boat', { scope: 'Namespaced', versions: ['v1'] }));
  await makeConfigMaps(plane, 500, (n) => `map-${n}`, 'default');
  churn = new PlaneChurn(plane, random);
  writeFileSync(dir.file('kubefold.yaml'), CONFIG);
  replicas = new Replicas({ kubeconfig: plane.kubeconfigPath, database: dir.file('copy.db'), flags: ['--config', dir.file('kubefold.yaml')] });
  const becomesExact = async (): Promise<void> => {
    await churn.stop();
    await replicas.leader.provesExact(plane);
  };
  rounds = new LeaderRounds({ replicas, churn: () => churn.start(), becomesExact, pause });
  await replicas.start();
});

afterEach(() => churn.stop());

afterAll(async () => {
  await churn?.stop();
  await replicas?.stop();
  await plane?.close();
  dir.remove();
});

interface LeaseSpec {
  readonly holderIdentity: string;
  readonly leaseTransitions: number;
  readonly leaseDurationSeconds: number;
}

async function leaseOf(): Promise<LeaseSpec> {
  const { text } = await plane.api('/apis/coordination.k8s.io/v1/namespaces/default/leases/copy');
  return (JSON.parse(text) as { readonly spec: LeaseSpec }).spec;
}

const each = Array.from({ length: ROUNDS }, (_, n) => n + 1);

describe(`replicas on a real control plane, with KUBEFOLD_SEED=${seed}`, () => {
  test.each(each)('round %i: killed in churn, the other goes on within the lease', async () => {
    const { leaseTransitions } = await leaseOf();
    const { now } = await rounds.killed();
    expect(await leaseOf()).toMatchObject({ holderIdentity: now.identity, leaseTransitions: leaseTransitions + 1, leaseDurationSeconds: 3 });
    expect(now.epoch).toBe(leaseTransitions + 1);
  });

  test.each(each)('round %i: frozen for longer than its lease, it writes nothing when it wakes, and ends with 3', async () => {
    await rounds.frozen();
  });

  test.each(each)('round %i: stopped in order, it hands the lease over in less than 2 s', async () => {
    await rounds.stopped();
  });

  test('a Lease that was deleted under its leader is made again with its epoch; deleted while nobody leads, the next one is raised above what storage knows', async () => {
    const { epoch } = await statusOf(replicas.leader);
    await plane.apiOk('/apis/coordination.k8s.io/v1/namespaces/default/leases/copy', { method: 'DELETE' });
    await replicas.leader.watchesAll();
    const standby = replicas.standby.child;
    await replicas.stop();
    expect((await standby.exited).code).toBe(0);
    await plane.api('/apis/coordination.k8s.io/v1/namespaces/default/leases/copy', { method: 'DELETE' });
    await replicas.start();
    const now = await statusOf(replicas.leader);
    expect(now.epoch).toBeGreaterThan(epoch ?? -1);
    expect((await leaseOf()).leaseTransitions).toBe(now.epoch);
    await replicas.leader.provesExact(plane);
  });

  test('the takings over were as quick as they must be, and rows of every epoch are of leaders that followed each other', () => {
    rounds.wereQuick(ROUNDS);
    const [writer] = query<{ readonly n: number }>(dir.file('copy.db'), 'SELECT count(*) AS n FROM objects WHERE epoch > (SELECT max(epoch) FROM writers)');
    expect(writer?.n).toBe(0);
  });
});
