/** Who is there, and who holds what. */
export interface Holdings {
  /** Identities of the members that count, in any order. */
  readonly members: readonly string[];
  /** By index of the shard: who holds its lease; null when nobody does, or whoever did is held to be gone. */
  readonly holders: readonly (string | null)[];
}

/** What a member has begun with a shard: it tries for its lease, holds that, or is about to give it back. */
export type Claim = 'trying' | 'held' | 'ending';

/** What a member is to do next, as indexes of shards. */
export interface Moves {
  /** Shards whose lease it should begin to try for. */
  readonly take: readonly number[];
  /** Those that it tries for, and that another one should have by now. */
  readonly drop: readonly number[];
  /** Those that it holds, and that another one should have. */
  readonly release: readonly number[];
}

/**
 * By index of the shard: the member that it is to stay with, or to go to; all null where nobody is there. Every member computes it for itself, so it depends on
 * nothing but what all of them can see, and a move that was made changes no other target:
 *
 * - Shares are even: each member gets the whole part of shards / members, and the first so many one more that nothing is left. Those who hold more than
 *   the whole part already are first, for taking it away would move what can stay; then the order of the identities decides.
 * - A member keeps what it holds, lowest indexes first, up to its share.
 * - What is left, in the order of the indexes, goes to whoever lacks something, in the order of the identities.
 */
export function targetsOf({ members, holders }: Holdings): readonly (string | null)[] {
  const present = [...new Set(members)].sort();
  if (present.length === 0) return holders.map(() => null);
  const shares = sharesOf(present, holders);
  const kept = new Map(present.map((member) => [member, 0]));
  const targets = holders.map((holder) => {
    const count = holder === null ? undefined : kept.get(holder);
    if (holder === null || count === undefined || count >= (shares.get(holder) ?? 0)) return null;
    kept.set(holder, count + 1);
    return holder;
  });
  const lacking = present.flatMap((member) => new Array<string>((shares.get(member) ?? 0) - (kept.get(member) ?? 0)).fill(member));
  let next = 0;
  return targets.map((target) => target ?? lacking[next++] ?? null);
}

/** How many shards each member should have. */
function sharesOf(present: readonly string[], holders: Holdings['holders']): ReadonlyMap<string, number> {
  const whole = Math.floor(holders.length / present.length);
  const rest = holders.length % present.length;
  const held = (member: string): number => holders.filter((holder) => holder === member).length;
  const firsts = [...present.filter((member) => held(member) > whole), ...present.filter((member) => held(member) <= whole)].slice(0, rest);
  return new Map(present.map((member) => [member, whole + (firsts.includes(member) ? 1 : 0)]));
}

/** What `me` is to do next, whatever others do at the same time. What it has claimed it knows better than any list of leases. */
export function movesOf(me: string, { members, holders }: Holdings, claims: ReadonlyMap<number, Claim>): Moves {
  const isMine = (shard: number): boolean => claims.get(shard) === 'held' || claims.get(shard) === 'ending';
  const now = holders.map((holder, shard) => (isMine(shard) ? me : holder === me ? null : holder));
  const moves = { take: [] as number[], drop: [] as number[], release: [] as number[] };
  for (const [shard, target] of targetsOf({ members, holders: now }).entries()) {
    const claim = claims.get(shard);
    if (target === me && claim === undefined) moves.take.push(shard);
    if (target !== me && claim === 'trying') moves.drop.push(shard);
    // Without a member that it could go to it stays where it is.
    if (target !== me && target !== null && claim === 'held') moves.release.push(shard);
  }
  return moves;
}
