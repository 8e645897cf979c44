import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ChurnedCluster } from './support/churned-cluster.ts';
import { LeaderRounds } from './support/leader-rounds.ts';
import { Replicas, statusOf, writesOf } from './support/replicas.ts';

/** Two real processes that elect one of them, on one file of SQLite: the leader is killed, frozen and replaced in churn, and the copy is exact after each. */

const ROUNDS = Number(process.env['KUBEFOLD_ROUNDS'] ?? 2);
const PODS = 400;
const CONFIG = `
leaderElection: { enabled: true, name: copy, leaseSeconds: 3, renewSeconds: 2, retrySeconds: 1 }
audit: { everySeconds: null }
fence: { maxDeleteShare: 1 }
`;

let cluster: ChurnedCluster;
let replicas: Replicas;
let rounds: LeaderRounds;

beforeAll(async () => {
  cluster = await ChurnedCluster.start('leadership', { pods: PODS, config: CONFIG });
  replicas = new Replicas(cluster.options);
  rounds = new LeaderRounds({ replicas, churn: () => cluster.churn(), becomesExact, pause: (maxMs) => cluster.pause(maxMs) });
  await replicas.start();
});

afterEach(() => cluster.rest());

afterAll(async () => {
  await replicas?.stop();
  await cluster?.close();
});

function becomesExact(): Promise<void> {
  return cluster.becomesExact({ log: () => `The end of its log: ${replicas.leader.child.stderr().slice(-3_000)}` });
}

const lists = async (): Promise<number> => {
  let sum = 0;
  for (const kind of ChurnedCluster.kinds) sum += await replicas.leader.metric('kubefold_lists_total', `resource="${kind}"`);
  return sum;
};

const each = Array.from({ length: ROUNDS }, (_, n) => n + 1);

describe(`replicas that elect one of them, with KUBEFOLD_SEED=${ChurnedCluster.seed}`, () => {
  test('the standby knows every object and writes nothing, and says who leads', async () => {
    const { leader, standby } = replicas;
    cluster.churn();
    await cluster.pause(500);
    const [leading, standing] = [await statusOf(leader), await statusOf(standby)];
    expect(leading).toMatchObject({ role: 'leader', holder: leading.identity, epoch: expect.any(Number) });
    expect(standing).toMatchObject({ role: 'standby', holder: leading.identity, epoch: null });
    expect((await standby.get('/readyz')).status).toBe(200);
    expect(await standby.metric('kubefold_leader', 'shard="0"')).toBe(0);
    expect(await leader.metric('kubefold_leader', 'shard="0"')).toBe(1);
    expect(await leader.metric('leader_election_master_status', 'name="copy"')).toBe(1);
    expect(await standby.metric('kubefold_changes_total')).toBeGreaterThan(PODS);
    expect(await writesOf(standby)).toBe(0);
    cluster.rest();
    await becomesExact();
  });

  test.each(each)('round %i: killed in churn, the other goes on within the lease without a list', async () => {
    await rounds.killed();
    // Its own first lists, from when it began to stand by.
    expect(await lists()).toBe(ChurnedCluster.kinds.length);
  });

  test.each(each)('round %i: frozen for longer than its lease, it writes nothing when it wakes, and ends with 3', async () => {
    await rounds.frozen();
  });

  test.each(each)('round %i: stopped in order it hands over in less than 2 s', async () => {
    await rounds.stopped();
  });

  test('the takings over were as quick as they must be', () => rounds.wereQuick(ROUNDS));
});
