import { type AuditStatus, copyAge, isReady, type KindStatus, type MirrorStatus, type PoolStatus, type ShardsStatus } from '../model/status.ts';

/**
 * What /readyz answers: 200 when every kind that rules ask for is complete and durable (except what is parked), or when this process stands by and knows every
 * object, else 503 with the reasons.
 */
export function readiness(status: MirrorStatus, detail: 'short' | 'verbose'): { readonly code: 200 | 503; readonly text: string } {
  const ready = isReady(status);
  const lines: string[] = [];
  if (detail === 'verbose') {
    for (const kind of [...status.kinds].sort((a, b) => (a.id < b.id ? -1 : 1))) lines.push(kindLine(kind));
    if (status.leadership !== undefined) lines.push(`[${status.leadership.holder === null ? '!' : '+'}] lease${leaderText(status)}`);
    lines.push(...shardLines(status.shards));
    for (const { id, why } of status.left) lines.push(`[-] ${id}: not mirrored, ${why}`);
    for (const { groupVersion, error } of status.broken) lines.push(`[!] ${groupVersion}: cannot be discovered, ${error}`);
    lines.push(...configurationLines(status));
    for (const warning of status.warnings) lines.push(`[!] ${warning}`);
    lines.push(...auditLines(status.audit));
    for (const pool of status.pools ?? []) lines.push(poolLine(pool));
  } else if (!ready) {
    for (const kind of status.kinds) if (!kind.complete) lines.push(kindLine(kind));
  }
  if (status.error !== null) lines.push(`[!] ${status.error}`);
  const trouble = storageTrouble(status);
  if (trouble !== null && (detail === 'verbose' || !ready)) lines.push(`[!] ${trouble}`);
  lines.push(status.phase === 'standby' ? `standby${leaderText(status)}` : ready ? `ready: ${ageText(copyAge(status))}` : `not ready: ${status.phase}`);
  return { code: ready ? 200 : 503, text: `${lines.join('\n')}\n` };
}

/** `: kf-2_8f1e leads`, `: this process writes no shard of 4`; '' where nobody elects. */
export function leaderText({ leadership, shards }: MirrorStatus): string {
  if (shards !== undefined) return `: this process writes ${shardsText(shards)}`;
  if (leadership === undefined) return '';
  if (leadership.role === 'leader') return `: this process leads, epoch ${leadership.epoch ?? 'not known'}`;
  return leadership.holder === null ? ': nobody leads' : `: ${leadership.holder} leads`;
}

/** `shards 0, 2 of 4`, `no shard of 4`. */
export function shardsText({ own, count }: ShardsStatus): string {
  if (own.length === 0) return `no shard of ${count}`;
  return `${own.length === 1 ? 'shard' : 'shards'} ${own.map(({ index }) => index).join(', ')} of ${count}`;
}

const SPLIT = { server: ', split by the API server', us: ', split here', unknown: '' } as const;

function shardLines(shards: ShardsStatus | undefined): string[] {
  if (shards === undefined) return [];
  const { count, members, holders, own, waits } = shards;
  const mine = new Map(own.map((shard) => [shard.index, shard]));
  const lines = holders.map((holder, index) => {
    const shard = mine.get(index);
    if (shard !== undefined)
      return `[+] shard ${index} of ${count}: this process writes it, epoch ${shard.epoch}, ${shard.phase}${SPLIT[shard.splitBy ?? 'unknown']}`;
    return holder === null ? `[!] shard ${index} of ${count}: nobody writes it` : `[+] shard ${index} of ${count}: ${holder} has it`;
  });
  return [
    `[${members === 0 ? ' ' : '+'}] shards: shared by ${members} ${members === 1 ? 'replica' : 'replicas'}`,
    ...lines,
    ...(waits === null ? [] : [`[!] shards: ${waits}`]),
  ];
}

function kindLine(kind: KindStatus): string {
  const mark = kind.complete ? '+' : ' ';
  const facts = [`${kind.objects} objects`, kind.state];
  if (kind.watermark !== null) facts.push(`complete to ${kind.watermark}`);
  if (kind.silentMs !== null) facts.push(`heard ${seconds(kind.silentMs)} ago`);
  if (kind.unsettled > 0) facts.push(`${kind.unsettled} to write, oldest ${seconds(kind.oldestPendingMs)}`);
  if (kind.parked > 0)
    facts.push(`${kind.parked} parked${kind.firstParked === null ? '' : `, the first is ${kind.firstParked.key}: ${kind.firstParked.error}`}`);
  if (kind.held > 0)
    facts.push(
      `${kind.held} deletions held${kind.firstHeld === null ? '' : `, the first is ${kind.firstHeld}`}: kubefold confirm ${kind.id} shows them and asks`,
    );
  if (kind.lagMs >= 1_000) facts.push(`the watermark waits for ${seconds(kind.lagMs)}${behind(kind.lagRevisions)}`);
  if (kind.damaged > 0) facts.push(`${kind.damaged} unreadable`);
  if (kind.error !== null) facts.push(kind.error);
  return `[${mark}] ${kind.id}: ${facts.join(', ')}`;
}

/** None without a file: there is nothing that could change. */
function configurationLines({ configuration }: MirrorStatus): string[] {
  if (configuration === undefined || configuration.version === null) return [];
  const { version, appliedAt, refused } = configuration;
  const since = appliedAt === null ? 'the start' : new Date(appliedAt).toISOString();
  return [`[${refused === null ? '+' : '!'}] configuration: ${version} in use since ${since}`];
}

function auditLines({ everySeconds, off, last }: AuditStatus): string[] {
  if (everySeconds === null) return ['[-] audit: switched off'];
  if (off !== null) return [`[-] audit: ${off}`];
  if (last === null) return ['[ ] audit: no round is over yet'];
  const { objects, drift, untold, skipped, finishedAt, seconds: took } = last;
  const facts = [`${objects} compared`, drift === 0 ? 'none differed' : `${drift} differed and were mended`];
  if (untold > 0) facts.push(`${untold} left to the next round because they were in flight`);
  const left = skipped.map(({ id, why }) => `[!] audit: ${id} was not compared: ${why}`);
  return [`[${drift === 0 ? '+' : '!'}] audit: ${facts.join(', ')}, in ${seconds(took * 1000)} until ${new Date(finishedAt).toISOString()}`, ...left];
}

/** Pools are beside the copy: they never keep it from being ready. */
function poolLine({ document, storedAt, failures, error }: PoolStatus): string {
  const stored = storedAt === null ? 'not stored yet' : `stored at ${new Date(storedAt).toISOString()}`;
  if (error === null) return `[${storedAt === null ? ' ' : '+'}] netservice ${document}: ${stored}`;
  return `[!] netservice ${document}: ${stored}, ${failures} ${failures === 1 ? 'poll' : 'polls in a row'} failed: ${error}`;
}

function behind(revisions: number | null): string {
  return revisions === null ? '' : `, ${revisions} ${revisions === 1 ? 'revision' : 'revisions'} behind`;
}

/** `the copy is current`, `the copy is up to 3.2 s old`. */
export function ageText(ageMs: number | null): string {
  if (ageMs === null) return 'the copy is not complete yet';
  return ageMs < 1_000 ? 'the copy is current' : `the copy is up to ${seconds(ageMs)} old`;
}

/** What is wrong with storage, as a phrase; null while it takes writes, and for a failure that may be a blip. A complete copy stays ready: its age tells the rest. */
export function storageTrouble({ storage }: MirrorStatus): string | null {
  return storage.open ? `storage takes no writes for ${seconds(storage.failingMs)}, changes wait: ${storage.error ?? 'the reason is not known'}` : null;
}

/** `3.2 s`, `45 s`, `12 min`. */
export function seconds(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 600_000) return `${Math.round(ms / 1000)} s`;
  return `${Math.round(ms / 60_000)} min`;
}
