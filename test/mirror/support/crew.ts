import { systemClock } from '../../../src/kit/clock.ts';
import type { MirrorStatus, ShardsStatus } from '../../../src/model/status.ts';
import { until } from '../../support/until.ts';
import { type MirrorOptions, MirrorProcess } from './mirror-process.ts';

/** Processes that share the shards of one cluster, on one file of SQLite. */
export class Crew {
  readonly #options: MirrorOptions;
  readonly #shards: number;
  members: MirrorProcess[] = [];

  constructor(options: MirrorOptions, shards: number) {
    this.#options = options;
    this.#shards = shards;
  }

  /** Its address is known; what it owns is another question. */
  async join(): Promise<MirrorProcess> {
    const member = await MirrorProcess.start(this.#options);
    this.members.push(member);
    return member;
  }

  /** The test ends it, or has. */
  forget(member: MirrorProcess): void {
    this.members = this.members.filter((one) => one !== member);
  }

  async stop(): Promise<void> {
    for (const { child } of this.members) {
      child.signal('SIGCONT');
      await child.stop();
    }
  }

  /** Which shards each member writes, in the order in which they joined. */
  async owned(): Promise<readonly (readonly number[])[]> {
    return await Promise.all(this.members.map(async (member) => (await shardsOf(member)).own.map(({ index }) => index)));
  }

  /** Milliseconds from `since` until every shard has one owner among the members. */
  async ownsAll(since: number, withinMs: number): Promise<number> {
    await until('every shard has an owner', async () => this.#hasAll(await this.owned()), { withinMs, everyMs: 20 });
    return systemClock.now() - since;
  }

  /** Until every shard has an owner, shares differ by one at the most, and all are ready. */
  async isEven(withinMs = 30_000): Promise<void> {
    const look = async (): Promise<boolean> => {
      const owned = await this.owned();
      const sizes = owned.map(({ length }) => length);
      if (!this.#hasAll(owned) || Math.max(...sizes) - Math.min(...sizes) > 1) throw new Error(`shares are ${JSON.stringify(owned)}`);
      const codes = await Promise.all(this.members.map(async (member) => (await member.get('/readyz')).status));
      if (codes.some((code) => code !== 200)) throw new Error(`readiness is ${codes.join()}`);
      return true;
    };
    await until('shares are even', look, { withinMs, everyMs: 50 });
  }

  /** The end of every member's log. */
  log(): string {
    return this.members.map(({ child }, n) => `--- member ${n}\n${child.stderr().slice(-2_500)}`).join('\n');
  }

  #hasAll(owned: readonly (readonly number[])[]): boolean {
    const all = owned.flat();
    return all.length === this.#shards && new Set(all).size === this.#shards;
  }
}

export async function processStatus(member: MirrorProcess): Promise<MirrorStatus> {
  return JSON.parse((await member.get('/status.json')).text) as MirrorStatus;
}

export async function shardsOf(member: MirrorProcess): Promise<ShardsStatus> {
  const { shards } = await processStatus(member);
  if (shards === undefined) throw new Error('it shares no shards');
  return shards;
}
