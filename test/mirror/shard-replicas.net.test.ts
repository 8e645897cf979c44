import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { messageOf } from '../../src/model/errors.ts';
import { shardOf } from '../../src/model/shard.ts';
import { until } from '../support/until.ts';
import { Copy } from './copy.ts';
import { ChurnedCluster } from './support/churned-cluster.ts';
import { Crew, processStatus, shardsOf } from './support/crew.ts';

/** Real processes that share four shards, on one file of SQLite: they come, are killed, frozen and stopped in churn, and the copy is exact after each. */

const SHARDS = 4;
const PODS = 400;
/** Shorter than the defaults, so that the test is; long enough for a process that starts beside others on a busy machine. */
const LEASE_MS = 6_000;
/** The bar, beside the lease. */
const BEYOND_MS = 3_000;
const CONFIG = `
shards: ${SHARDS}
leaderElection: { enabled: true, name: copy, leaseSeconds: 6, renewSeconds: 5, retrySeconds: 1 }
audit: { everySeconds: null }
fence: { maxDeleteShare: 1 }
`;
/** More lists than any test makes. */
const MANY = 100_000;

let cluster: ChurnedCluster;
let crew: Crew;
const takeovers: number[] = [];

beforeAll(async () => {
  cluster = await ChurnedCluster.start('shards', { pods: PODS, config: CONFIG });
  crew = new Crew(cluster.options, SHARDS);
  for (let n = 0; n < 3; n++) await crew.join();
  await crew.isEven().catch((cause: unknown) => {
    throw new Error(`${messageOf(cause)}. ${crew.log()}`, { cause });
  });
}, 60_000);

afterEach(() => cluster.rest());

afterAll(async () => {
  await crew?.stop();
  await cluster?.close();
});

/** Until every shard has a watermark of each churned kind on record: a process that has just begun commits it within seconds. */
async function watermarks(): Promise<void> {
  const { kinds } = ChurnedCluster;
  const wanted = SHARDS * kinds.length;
  const marks = kinds.map(() => '?').join();
  using copy = new Copy(cluster.options.database);
  const look = (): boolean =>
    copy.all(`SELECT scope FROM scopes WHERE api_group = '' AND resource IN (${marks}) AND complete = 1 AND watermark IS NOT NULL`, ...kinds).length === wanted;
  await until('every watermark is on record', look, { withinMs: 20_000, everyMs: 50 });
}

/** How many lists of churned kinds the server has served since: a rule that harms nobody counts them. */
function listsSince(): () => number {
  const remove = cluster.hollow.faults.add({ effect: { type: 'split', bytes: 1_000_000 }, verbs: ['list'], kinds: ChurnedCluster.kinds, times: MANY });
  return () => {
    const left = cluster.hollow.faults.list().find((rule) => rule.times !== undefined)?.times ?? 0;
    remove();
    return MANY - left;
  };
}

function becomesExact(atRest?: () => void): Promise<void> {
  return cluster.becomesExact({ log: () => crew.log(), atRest });
}

/** Rows that a writer of `holder` wrote after `wallMs`, told by the epochs that it had. */
function lateRows(epochs: ReadonlyMap<number, number>, wallMs: number): number {
  using copy = new Copy(cluster.options.database);
  return copy
    .all('SELECT uid, epoch FROM objects WHERE written_at > ?', String(wallMs))
    .filter(({ uid, epoch }) => epochs.get(shardOf(String(uid), SHARDS)) === Number(epoch)).length;
}

describe(`replicas that share ${SHARDS} shards, with KUBEFOLD_SEED=${ChurnedCluster.seed}`, () => {
  test('three have shares of two, one and one, each shows one picture, and the rows are those of the cluster', async () => {
    cluster.churn();
    await cluster.pause(500);
    const owned = await crew.owned();
    expect(owned.map(({ length }) => length).sort()).toEqual([1, 1, 2]);
    await becomesExact();
    let objects = 0;
    for (const [n, member] of crew.members.entries()) {
      const { phase, kinds, shards } = await processStatus(member);
      expect([phase, shards?.members, shards?.holders.includes(null)]).toEqual(['live', 3, false]);
      expect(new Set(kinds.map(({ id }) => id)).size, 'each kind is there once').toBe(kinds.length);
      objects += kinds.find(({ id }) => id === 'pods')?.objects ?? 0;
      for (let shard = 0; shard < SHARDS; shard++) {
        const isOwn = owned[n]?.includes(shard) === true;
        expect(await member.metric('kubefold_leader', `shard="${shard}"`)).toBe(isOwn ? 1 : 0);
        expect(await member.metric('leader_election_master_status', `name="copy-shard-${shard}"`)).toBe(isOwn ? 1 : 0);
      }
      expect((await member.get('/readyz?verbose')).text).toContain('shared by 3 replicas');
    }
    expect(objects).toBe(cluster.hollow.count('pods'));
  });

  test('one that is killed in churn is replaced within the lease and 3 s, from the watermarks: nothing is listed', async () => {
    cluster.churn();
    await cluster.pause(600);
    const owned = await crew.owned();
    const victim = crew.members[owned.findIndex(({ length }) => length === 2)];
    if (victim === undefined) throw new Error('nobody owns two');
    await watermarks();
    const lists = listsSince();
    const since = systemClock.now();
    await victim.kill();
    crew.forget(victim);
    takeovers.push(await crew.ownsAll(since, LEASE_MS + BEYOND_MS));
    await crew.isEven();
    await becomesExact(() => expect(lists()).toBe(0));
  });

  test('one that comes gets its part from the others, from the watermarks: nothing is listed, and they go on', async () => {
    cluster.churn();
    await cluster.pause(600);
    const before = await crew.owned();
    await watermarks();
    const lists = listsSince();
    const member = await crew.join();
    await crew.isEven();
    const now = await crew.owned();
    expect(now.map(({ length }) => length).sort()).toEqual([1, 1, 2]);
    // What need not move has not moved.
    expect(before.flatMap((shards, n) => shards.filter((shard) => !now[n]?.includes(shard)))).toHaveLength(1);
    await becomesExact(() => expect(lists()).toBe(0));
    const given = (await Promise.all(crew.members.map(shardsOf))).flatMap((shards) => shards.given);
    expect(given.map(({ why }) => why).join()).toContain('4 shards are shared by 3 replicas');
    expect((await member.get('/readyz')).status).toBe(200);
  });

  test('one that is stopped in churn gives its shards back at once, and ends with 0', async () => {
    cluster.churn();
    await cluster.pause(600);
    const owned = await crew.owned();
    const leaver = crew.members[owned.findIndex(({ length }) => length === 2)];
    if (leaver === undefined) throw new Error('nobody owns two');
    await watermarks();
    const lists = listsSince();
    const since = systemClock.now();
    crew.forget(leaver);
    const stopped = leaver.child.stop(30_000);
    const ms = await crew.ownsAll(since, LEASE_MS);
    expect((await stopped).code).toBe(0);
    takeovers.push(ms);
    await crew.isEven();
    await becomesExact(() => expect(lists()).toBe(0));
    await crew.join();
    await crew.isEven();
  });

  test('one that is frozen for longer than its leases writes nothing when it wakes, and ends with 3; its shards have other owners by then', async () => {
    cluster.churn();
    await cluster.pause(600);
    const frozen = crew.members[0];
    if (frozen === undefined) throw new Error('nobody is there');
    const { own } = await shardsOf(frozen);
    expect(own.length).toBeGreaterThan(0);
    const since = systemClock.now();
    frozen.child.signal('SIGSTOP');
    crew.forget(frozen);
    const ms = await crew.ownsAll(since, LEASE_MS + BEYOND_MS).catch(() => null);
    if (ms !== null) takeovers.push(ms);
    // One that is frozen in the middle of a transaction keeps the lock of SQLite itself: the next ones lead, and say what they wait for.
    else expect(crew.log()).toContain('storage cannot be opened yet');
    await cluster.pause(300);
    const wokenAt = systemClock.wall();
    frozen.child.signal('SIGCONT');
    const exit = await frozen.child.exited;
    expect(exit.code, exit.stderr.slice(-2_000)).toBe(3);
    await crew.isEven();
    expect(lateRows(new Map(own.map(({ index, epoch }) => [index, epoch])), wokenAt)).toBe(0);
    await becomesExact();
  });

  test('the lease of one that was killed is cleared away, and that of one that was stopped was deleted', async () => {
    const members = (): number => cluster.hollow.keys('leases.coordination.k8s.io').filter((key) => key.includes('/copy-member-')).length;
    await until('only those who are there have a lease', () => members() === crew.members.length, { withinMs: 5 * LEASE_MS });
    expect(cluster.hollow.keys('leases.coordination.k8s.io').filter((key) => key.includes('/copy-shard-'))).toHaveLength(SHARDS);
    process.stderr.write(`taken over within ${takeovers.map(Math.round).join(', ')} ms\n`);
  });
});
