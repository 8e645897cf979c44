import { describe, expect, test } from 'vitest';
import { copyAge } from '../../src/model/status.ts';
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
