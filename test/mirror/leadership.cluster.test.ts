import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { seededRandom } from '../../src/kit/random.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { tempDir } from '../support/temp-dir.ts';
import { applyCrd, crd } from './support/ground.ts';
import { query } from './support/independent-comparison.ts';
import { makeConfigMaps, PlaneChurn } from './support/plane-churn.ts';
import { Replicas, statusOf } from './support/replicas.ts';

/** As leadership.net.test.ts, on a real control plane: its Lease, its conflicts, its watch. Ten rounds of each, and what the API server says of the Lease. */

const ROUNDS = Number(process.env['KUBEFOLD_ROUNDS'] ?? 10);
const LEASE_MS = 3_000;
/** The bar, beside the lease. */
const BEYOND_MS = 3_000;
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
/** Frozen leaders that had something to write when they woke, and were refused by storage. */
let refused = 0;

beforeAll(async () => {
  plane = await startControlPlane();
  await applyCrd(plane, crd('boats', 'Boat', { scope: 'Namespaced', versions: ['v1'] }));
  await makeConfigMaps(plane, 500, (n) => `map-${n}`, 'default');
  churn = new PlaneChurn(plane, random);
  writeFileSync(dir.file('kubefold.yaml'), CONFIG);
  replicas = new Replicas({ kubeconfig: plane.kubeconfigPath, database: dir.file('copy.db'), flags: ['--config', dir.file('kubefold.yaml')] });
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

const rounds = Array.from({ length: ROUNDS }, (_, n) => n + 1);

describe(`replicas on a real control plane, with KUBEFOLD_SEED=${seed}`, () => {
  test.each(rounds)('round %i: killed in churn, the other goes on within the lease', async () => {
    const before = await leaseOf();
    churn.start();
    await pause(800);
    const since = systemClock.now();
    await replicas.leader.kill();
    await replicas.takenOver(since, LEASE_MS + BEYOND_MS);
    const now = await statusOf(replicas.leader);
    expect(await leaseOf()).toMatchObject({ holderIdentity: now.identity, leaseTransitions: before.leaseTransitions + 1, leaseDurationSeconds: 3 });
    expect(now.epoch).toBe(before.leaseTransitions + 1);
    await pause(500);
    await churn.stop();
    await replicas.leader.provesExact(plane);
    await replicas.startStandby();
  });

  test.each(rounds)('round %i: frozen for longer than its lease, it writes nothing when it wakes, and ends with 3', async () => {
    churn.start();
    await pause(800);
    const frozen = await replicas.freezeLeader(LEASE_MS + BEYOND_MS);
    await pause(500);
    const { epoch } = await statusOf(replicas.leader);
    const wokenAt = systemClock.wall();
    frozen.child.signal('SIGCONT');
    const exit = await frozen.child.exited;
    expect(exit.code, exit.stderr.slice(-2_000)).toBe(3);
    if (exit.stderr.includes('"msg":"storage refuses what this process writes"')) refused++;
    await pause(500);
    await churn.stop();
    expect(replicas.lateRows(epoch ?? -1, wokenAt)).toBe(0);
    await replicas.leader.provesExact(plane);
    await replicas.startStandby();
  });

  test.each(rounds)('round %i: stopped in order, it hands the lease over in less than 2 s', async () => {
    const churnedSince = systemClock.wall();
    churn.start();
    await pause(800);
    const { leader } = replicas;
    const since = systemClock.now();
    const stopped = leader.child.stop(30_000);
    await replicas.takenOver(since, LEASE_MS);
    expect((await stopped).code).toBe(0);
    await pause(1_000);
    const { epoch } = await statusOf(replicas.leader);
    await churn.stop();
    await replicas.leader.provesExact(plane);
    const gapMs = replicas.gapBefore(epoch ?? -1, churnedSince);
    replicas.gaps.push(gapMs);
    expect(gapMs).toBeLessThan(2_000);
    await replicas.startStandby();
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
    process.stderr.write(
      `takeovers ${replicas.takeovers.map(Math.round).join(', ')} ms; gaps of rolling updates ${replicas.gaps.join(', ')} ms; refused by storage ${refused}, frozen inside a transaction ${replicas.insideTransactions}\n`,
    );
    expect(replicas.takeovers.length + replicas.insideTransactions).toBe(3 * ROUNDS);
    const [writer] = query<{ readonly n: number }>(dir.file('copy.db'), 'SELECT count(*) AS n FROM objects WHERE epoch > (SELECT max(epoch) FROM writers)');
    expect(writer?.n).toBe(0);
  });
});
