import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { seededRandom } from '../../src/kit/random.ts';
import { messageOf } from '../../src/model/errors.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { Copy } from './copy.ts';
import { HollowChurn } from './support/hollow-churn.ts';
import { LeaderRounds } from './support/leader-rounds.ts';
import { type MirrorOptions, verifyHere } from './support/mirror-process.ts';
import { Replicas, statusOf, writesOf } from './support/replicas.ts';

/** Two real processes that elect one of them, on one file of SQLite: the leader is killed, frozen and replaced in churn, and the copy is exact after each. */

const ROUNDS = Number(process.env['KUBEFOLD_ROUNDS'] ?? 2);
const PODS = 400;
const CHURNED = ['pods', 'pods', 'configmaps', 'services'];
const CHANGES_PER_TICK = 3;
const CONFIG = `
leaderElection: { enabled: true, name: copy, leaseSeconds: 3, renewSeconds: 2, retrySeconds: 1 }
audit: { everySeconds: null }
fence: { maxDeleteShare: 1 }
`;

const seed = Number(process.env['KUBEFOLD_SEED'] ?? systemClock.wall() % 2 ** 32);
const random = seededRandom(seed);
const pause = (maxMs: number): Promise<void> => systemClock.sleep(Math.floor(random.next() * maxMs));

let dir: TempDir;
let options: MirrorOptions;
let hollow: Hollow;
let churn: HollowChurn;
let replicas: Replicas;
let rounds: LeaderRounds;

beforeAll(async () => {
  dir = tempDir('leadership');
  hollow = await startHollow({ random: seededRandom(seed), history: 100_000 });
  seedCluster(hollow, { pods: PODS, nodes: 4, namespaces: 3, bytes: 1_000 });
  churn = new HollowChurn(hollow, { random, kinds: CHURNED });
  writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
  writeFileSync(dir.file('kubefold.yaml'), CONFIG);
  options = { kubeconfig: dir.file('kubeconfig'), database: dir.file('copy.db'), flags: ['--config', dir.file('kubefold.yaml')] };
  replicas = new Replicas(options);
  rounds = new LeaderRounds({ replicas, churn: () => churn.start(CHANGES_PER_TICK), becomesExact, pause });
  await replicas.start();
});

afterEach(() => churn.stop());

afterAll(async () => {
  churn?.stop();
  await replicas?.stop();
  await hollow?.close();
  dir.remove();
});

async function becomesExact(): Promise<void> {
  churn.stop();
  using copy = new Copy(options.database);
  try {
    await copy.equals(hollow);
  } catch (cause) {
    throw new Error(`${messageOf(cause)}. Seed ${seed}. The end of its log: ${replicas.leader.child.stderr().slice(-3_000)}`, { cause });
  }
  const verdict = await verifyHere(options);
  expect(verdict, verdict.stdout.slice(0, 4_000)).toMatchObject({ code: 0, verdict: 'equal', differences: 0, unknown: 0 });
}

const lists = async (): Promise<number> => {
  let sum = 0;
  for (const kind of new Set(CHURNED)) sum += await replicas.leader.metric('kubefold_lists_total', `resource="${kind}"`);
  return sum;
};

const each = Array.from({ length: ROUNDS }, (_, n) => n + 1);

describe(`replicas that elect one of them, with KUBEFOLD_SEED=${seed}`, () => {
  test('the standby knows every object and writes nothing, and says who leads', async () => {
    const { leader, standby } = replicas;
    churn.start(CHANGES_PER_TICK);
    await pause(500);
    const [leading, standing] = [await statusOf(leader), await statusOf(standby)];
    expect(leading).toMatchObject({ role: 'leader', holder: leading.identity, epoch: expect.any(Number) });
    expect(standing).toMatchObject({ role: 'standby', holder: leading.identity, epoch: null });
    expect((await standby.get('/readyz')).status).toBe(200);
    expect(await standby.metric('kubefold_leader', 'shard="0"')).toBe(0);
    expect(await leader.metric('kubefold_leader', 'shard="0"')).toBe(1);
    expect(await leader.metric('leader_election_master_status', 'name="copy"')).toBe(1);
    expect(await standby.metric('kubefold_changes_total')).toBeGreaterThan(PODS);
    expect(await writesOf(standby)).toBe(0);
    churn.stop();
    await becomesExact();
  });

  test.each(each)('round %i: killed in churn, the other goes on within the lease without a list', async () => {
    await rounds.killed();
    // Its own first lists, from when it began to stand by.
    expect(await lists()).toBe(new Set(CHURNED).size);
  });

  test.each(each)('round %i: frozen for longer than its lease, it writes nothing when it wakes, and ends with 3', async () => {
    await rounds.frozen();
  });

  test.each(each)('round %i: stopped in order it hands over in less than 2 s', async () => {
    await rounds.stopped();
  });

  test('the takings over were as quick as they must be', () => rounds.wereQuick(ROUNDS));
});
