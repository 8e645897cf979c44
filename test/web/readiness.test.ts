import { describe, expect, test } from 'vitest';
import { type AuditStatus, copyAge, type MirrorStatus, type PoolStatus, type ShardsStatus } from '../../src/model/status.ts';
import { readiness } from '../../src/web/readiness.ts';
import { kindIn, statusOf } from './statuses.ts';

describe('how old the copy is', () => {
  test('as old as its oldest kind, and nothing before all kinds are complete', () => {
    expect(copyAge(statusOf([kindIn(), kindIn({ id: 'nodes', ageMs: 5_000 })]))).toBe(5_000);
    expect(copyAge(statusOf([kindIn(), kindIn({ id: 'nodes', complete: false })]))).toBeNull();
  });

  test('one quiet kind beside others that are heard says nothing', () => {
    expect(copyAge(statusOf([kindIn(), kindIn({ id: 'events', silentMs: 240_000 })]))).toBe(0);
  });

  test('no kind heard for longer than bookmarks take: the connections may be dead, so the copy is as old as what was heard last', () => {
    const silent = [kindIn({ silentMs: 100_000 }), kindIn({ id: 'nodes', silentMs: 95_000 }), kindIn({ id: 'jobs.batch', silentMs: null })];
    expect(copyAge(statusOf(silent))).toBe(95_000);
    expect(copyAge(statusOf([kindIn({ silentMs: 80_000 })]))).toBe(0);
    expect(readiness(statusOf(silent), 'short').text).toBe('ready: the copy is up to 95 s old\n');
  });
});

describe('/readyz?verbose', () => {
  const line = (over: Parameters<typeof kindIn>[0]): string | undefined => readiness(statusOf([kindIn(over)]), 'verbose').text.split('\n')[0];

  test('tells of each kind how far it is complete and when it was heard', () => {
    expect(line({})).toBe('[+] pods: 5 objects, watching, complete to 77, heard 0.4 s ago');
  });

  test('tells how far the watermark is behind, and since when', () => {
    expect(line({ lagRevisions: 1_042, lagMs: 61_000, unsettled: 3, oldestPendingMs: 12_000 })).toBe(
      '[+] pods: 5 objects, watching, complete to 77, heard 0.4 s ago, 3 to write, oldest 12 s, the watermark waits for 61 s, 1042 revisions behind',
    );
    expect(line({ watermark: null, lagRevisions: null, lagMs: 2_000 })).toBe('[+] pods: 5 objects, watching, heard 0.4 s ago, the watermark waits for 2.0 s');
  });

  test('what waits for a person holds the watermark back and does not make the copy old', () => {
    const parked = kindIn({ parked: 1, lagRevisions: 9, lagMs: 3_600_000 });
    expect(
      readiness(statusOf([parked]), 'verbose')
        .text.split('\n')
        .at(-2),
    ).toBe('ready: the copy is current');
  });
});

describe('/readyz?verbose tells of the IP pools of a NetService', () => {
  const pool: PoolStatus = { document: 'IPPoolStatic', stored: 3, failed: 0, failures: 0, storedAt: Date.UTC(2026, 0, 1), error: null };
  const about = (over: Partial<PoolStatus>): { readonly code: number; readonly lines: readonly string[] } => {
    const { code, text } = readiness(statusOf([kindIn()], { pools: [{ ...pool, ...over }] }), 'verbose');
    return { code, lines: text.split('\n').filter((line) => line.includes('netservice')) };
  };

  test('when they were stored, or why they are not, and is ready all the same', () => {
    expect(about({})).toEqual({ code: 200, lines: ['[+] netservice IPPoolStatic: stored at 2026-01-01T00:00:00.000Z'] });
    expect(about({ failures: 2, error: 'no NetService is known' })).toEqual({
      code: 200,
      lines: ['[!] netservice IPPoolStatic: stored at 2026-01-01T00:00:00.000Z, 2 polls in a row failed: no NetService is known'],
    });
    const none = readiness(statusOf([kindIn()], { pools: [{ ...pool, storedAt: null }] }), 'verbose').text;
    expect(none).toContain('[ ] netservice IPPoolStatic: not stored yet\n');
  });

  test('and of none where none is asked', () => {
    expect(readiness(statusOf([kindIn()]), 'verbose').text).not.toContain('netservice');
  });
});

describe('/readyz?verbose tells of the audit', () => {
  const audit = (over: Partial<AuditStatus>): string[] => {
    const { text } = readiness(statusOf([], { audit: { everySeconds: 300, off: null, last: null, ...over } }), 'verbose');
    return text.split('\n').filter((line) => line.includes('audit'));
  };
  const round = { finishedAt: Date.UTC(2026, 0, 1), seconds: 300, objects: 1_000, drift: 0, untold: 0, skipped: [] } as const;

  test('that it is off, cannot run, or has not finished a round', () => {
    expect(audit({ everySeconds: null })).toEqual(['[-] audit: switched off']);
    expect(audit({ off: 'the storage null: keeps nothing that could be compared' })).toEqual([
      '[-] audit: the storage null: keeps nothing that could be compared',
    ]);
    expect(audit({})).toEqual(['[ ] audit: no round is over yet']);
  });

  test('what its last round compared, found and left out', () => {
    expect(audit({ last: round })).toEqual(['[+] audit: 1000 compared, none differed, in 300 s until 2026-01-01T00:00:00.000Z']);
    expect(audit({ last: { ...round, drift: 3, untold: 2, skipped: [{ id: 'secrets', why: 'refused' }] } })).toEqual([
      '[!] audit: 1000 compared, 3 differed and were mended, 2 left to the next round because they were in flight, in 300 s until 2026-01-01T00:00:00.000Z',
      '[!] audit: secrets was not compared: refused',
    ]);
  });
});

describe('/readyz tells of the shards', () => {
  const shards: ShardsStatus = {
    ...{ count: 3, identity: 'me', members: 2, holders: ['me', 'other', null], given: [], waits: null },
    own: [{ index: 0, epoch: 7, since: 5, phase: 'live', splitBy: 'server' }],
  };
  const text = (over: Partial<ShardsStatus>, phase: MirrorStatus['phase'] = 'live'): string =>
    readiness(statusOf([], { phase, shards: { ...shards, ...over } }), 'verbose').text;

  test('who has which, which nobody has, and how many share them', () => {
    const lines = text({}).split('\n');
    expect(lines).toContain('[+] shards: shared by 2 replicas');
    expect(lines).toContain('[+] shard 0 of 3: this process writes it, epoch 7, live, split by the API server');
    expect(lines).toContain('[+] shard 1 of 3: other has it');
    expect(lines).toContain('[!] shard 2 of 3: nobody writes it');
  });

  test('why none is taken', () => {
    expect(text({ waits: 'old holds a shard of another number of shards' })).toContain('[!] shards: old holds a shard of another number of shards\n');
  });

  test('one that owns none is a ready standby, and says so', () => {
    const status = statusOf([], { phase: 'standby', shards: { ...shards, own: [] } });
    expect(readiness(status, 'short')).toEqual({ code: 200, text: 'standby: this process writes no shard of 3\n' });
    expect(copyAge(status)).toBeNull();
  });
});
