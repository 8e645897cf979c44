import { copyAge, type MirrorStatus, silence } from '../model/status.ts';
import { ageText, leaderText, seconds, shardsText, storageTrouble } from '../web/readiness.ts';

/** Some kind is heard every few seconds, if only by its bookmark; a longer silence is worth a word before it makes the copy old. */
const SILENCE_WORTH_SAYING_MS = 20_000;

/** What one line can say: progress while the first sync runs, afterwards how old the copy is. Pure: the rate comes from outside. */
export function statusLine(status: MirrorStatus, changesPerSecond: number): string {
  const { kinds } = status;
  const objects = total(kinds.map((kind) => kind.objects));
  const unsettled = total(kinds.map((kind) => kind.unsettled));
  const troubles = kinds.filter((kind) => kind.error !== null);
  const trouble = troubles[0] === undefined ? '' : ` · ${troubles.length} waiting: ${troubles[0].id}: ${troubles[0].error}`;
  const storage = storageTrouble(status);
  const error = `${storage === null ? '' : ` · ${storage}`}${status.error === null ? '' : ` · ${status.error}`}`;
  const silentMs = silence(status) ?? 0;
  const silent = silentMs < SILENCE_WORTH_SAYING_MS ? '' : ` · nothing heard for ${seconds(silentMs)}`;
  const shards = status.shards === undefined ? '' : `${shardsText(status.shards)} · `;
  switch (status.phase) {
    case 'connecting':
      return `connecting to ${status.address}${error}`;
    case 'syncing': {
      const complete = kinds.filter((kind) => kind.complete).length;
      return `${shards}syncing ${complete}/${kinds.length} kinds · ${count(objects)} objects · ${count(changesPerSecond)}/s · ${count(unsettled)} to write${silent}${trouble}${error}`;
    }
    case 'live': {
      const parked = total(kinds.map((kind) => kind.parked));
      const held = total(kinds.map((kind) => kind.held));
      const waiting = unsettled === 0 ? '' : ` · ${count(unsettled)} to write`;
      return `${shards}${ageText(copyAge(status))} · ${kinds.length} ${kinds.length === 1 ? 'kind' : 'kinds'} · ${count(objects)} objects · ${count(changesPerSecond)} changes/s${waiting}${silent}${parked === 0 ? '' : ` · ${parked} parked`}${held === 0 ? '' : ` · ${count(held)} deletions held: kubefold confirm`}${trouble}${error}`;
    }
    case 'standby':
      return `standby${leaderText(status)} · ${kinds.length} kinds · ${count(objects)} objects known · ${count(changesPerSecond)} changes/s${silent}${trouble}${error}`;
    case 'stopping':
      return `stopping · ${count(unsettled)} to write`;
    default:
      return status.phase satisfies never;
  }
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

function count(number: number): string {
  return Math.round(number).toLocaleString('en-US');
}
