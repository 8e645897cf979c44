import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { brief, testCluster } from './client.ts';
import type { TestCluster } from './client.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await testCluster({ history: 20 });
});
afterEach(async () => {
  await cluster[Symbol.asyncDispose]();
});

const PATH = '/api/v1/namespaces/default/configmaps?watch=true';
const STREAMING = `${PATH}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`;

describe('watch', () => {
  test('SV-S6: headers come at once; one object a line, kind and apiVersion first; the event of the revision asked for is not repeated', async () => {
    cluster.config('a');
    const watch = await cluster.watch(`${PATH}&resourceVersion=5`);
    expect(watch.response.headers).toMatchObject({ 'content-type': 'application/json', 'transfer-encoding': 'chunked' });
    cluster.config('b', { k: 'v' });
    const event = await watch.next();
    expect(watch.chunks.join('')).toMatch(
      /^\{"type":"ADDED","object":\{"kind":"ConfigMap","apiVersion":"v1","metadata":\{"name":"b","namespace":"default","uid":"[-0-9a-f]+","resourceVersion":"6",.*\}\}\n$/,
    );
    expect(event.object.data).toEqual({ k: 'v' });
  });

  test('SV-S7: a deletion carries the last object with the revision of the deletion', async () => {
    cluster.config('a', { k: 'v' });
    const watch = await cluster.watch(`${PATH}&resourceVersion=5`);
    cluster.hollow.patch('configmaps', 'default/a', { data: { k: 'w' } });
    cluster.hollow.delete('configmaps', 'default/a');
    const [modified, deleted] = await watch.take(2);
    expect([brief(modified), brief(deleted)]).toEqual(['MODIFIED default/a 6', 'DELETED default/a 7']);
    expect(deleted.object.data).toEqual({ k: 'w' });
  });

  test('WC-S5: without a revision the state comes first in key order, then what happens, with nothing twice', async () => {
    cluster.config('b');
    cluster.config('a');
    const watch = await cluster.watch(PATH);
    cluster.config('c');
    expect((await watch.take(3)).map(brief)).toEqual(['ADDED default/a 6', 'ADDED default/b 5', 'ADDED default/c 7']);
  });

  test('SV-S10: a streaming list ends its state with the annotated bookmark, at the revision of the whole store', async () => {
    cluster.config('a');
    cluster.hollow.create('nodes', { metadata: { name: 'n' } });
    const watch = await cluster.watch(STREAMING);
    const [added, bookmark] = await watch.take(2);
    expect(brief(added)).toBe('ADDED default/a 5');
    expect(bookmark).toEqual({
      type: 'BOOKMARK',
      object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { resourceVersion: '6', annotations: { 'k8s.io/initial-events-end': 'true' } } },
    });
    cluster.config('b');
    expect(brief(await watch.next())).toBe('ADDED default/b 7');
  });

  test('with bookmarks allowed, a watch from 0 is a streaming list too; sendInitialEvents=false sends no state', async () => {
    cluster.config('a');
    const both = await cluster.watch(`${PATH}&resourceVersion=0&allowWatchBookmarks=true`);
    expect((await both.take(2)).map(({ type }) => type)).toEqual(['ADDED', 'BOOKMARK']);
    const none = await cluster.watch(`${PATH}&sendInitialEvents=false&resourceVersionMatch=NotOlderThan`);
    cluster.config('b');
    expect(brief(await none.next())).toBe('ADDED default/b 6');
  });

  test.each(['sendInitialEvents=true', 'resourceVersionMatch=NotOlderThan', 'sendInitialEvents=true&resourceVersionMatch=Exact'])(
    '%s alone is refused with 422',
    async (query) => {
      const answer = await cluster.ask(`${PATH}&${query}`);
      expect([answer.code, answer.json.details.kind]).toEqual([422, 'ListOptions']);
    },
  );

  test('WC-S3: a revision older than the history is HTTP 200, one ERROR event 410 and a clean end', async () => {
    for (let n = 0; n < 30; n += 1) cluster.config(`c${n}`);
    const watch = await cluster.watch(`${PATH}&resourceVersion=5`);
    expect(watch.response.statusCode).toBe(200);
    expect(await watch.next()).toEqual({
      type: 'ERROR',
      object: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message: 'too old resource version: 5 (14)', reason: 'Expired', code: 410 },
    });
    expect(await watch.ended()).toBe('clean');
    const oldest = await cluster.watch(`${PATH}&resourceVersion=14`);
    expect(brief(await oldest.next())).toBe('ADDED default/c10 15');
  });

  test('SV-S9: a revision of the future is silence until it is passed; a streaming list gets ERROR 504 after 3 s', async () => {
    const silent = await cluster.watch(`${PATH}&resourceVersion=6`);
    cluster.config('a');
    cluster.config('b');
    cluster.config('c');
    expect(brief(await silent.next())).toBe('ADDED default/c 7');
    const timers = cluster.clock.pending;
    const watch = await cluster.watch(`${STREAMING}&resourceVersion=999`);
    expect(cluster.clock.pending).toBeGreaterThan(timers);
    cluster.clock.advance(3_000);
    expect((await watch.next()).object).toMatchObject({ code: 504, details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } });
    expect(await watch.ended()).toBe('clean');
  });

  test('WC-S13: bookmarks come every 60 s to those who asked, with the newest revision, and 2 s before the end', async () => {
    const watch = await cluster.watch(`${PATH}&resourceVersion=4&allowWatchBookmarks=true&timeoutSeconds=150`);
    const deaf = await cluster.watch(`${PATH}&resourceVersion=4&timeoutSeconds=150`);
    cluster.hollow.create('nodes', { metadata: { name: 'n' } });
    await idle();
    cluster.clock.advance(59_999);
    cluster.clock.advance(1);
    cluster.hollow.create('nodes', { metadata: { name: 'm' } });
    cluster.clock.advance(60_000);
    cluster.clock.advance(28_000);
    expect((await watch.take(3)).map((event) => `${event.type} ${event.object.metadata.resourceVersion}`)).toEqual(['BOOKMARK 5', 'BOOKMARK 6', 'BOOKMARK 6']);
    cluster.clock.advance(2_000);
    expect([await watch.ended(), await deaf.ended()]).toEqual(['clean', 'clean']);
  });

  test('a bookmark of pods has the empty shape of the kind; events get none', async () => {
    const pods = await cluster.watch('/api/v1/pods?watch=1&resourceVersion=4&allowWatchBookmarks=true&timeoutSeconds=61');
    const events = await cluster.watch('/api/v1/events?watch=1&resourceVersion=4&allowWatchBookmarks=true&timeoutSeconds=61');
    cluster.clock.advance(61_000);
    expect((await pods.next()).object).toEqual({ kind: 'Pod', apiVersion: 'v1', metadata: { resourceVersion: '4' }, spec: { containers: null }, status: {} });
    expect(await events.ended()).toBe('clean');
  });

  test('timeoutSeconds ends the watch cleanly at that second, and a 5 s watch has no bookmark', async () => {
    const watch = await cluster.watch(`${PATH}&resourceVersion=4&allowWatchBookmarks=true&timeoutSeconds=5`);
    cluster.clock.advance(5_000);
    expect(await watch.ended()).toBe('clean');
    expect(cluster.hollow.watches()).toBe(0);
  });

  test('WC-S11: entering a selector is ADDED, leaving it DELETED with the old labels and the new revision', async () => {
    cluster.config('a', {}, { in: 'no' });
    const watch = await cluster.watch(`${PATH}&labelSelector=in%3Dyes&resourceVersion=5`);
    for (const value of ['yes', 'yes', 'no', 'no'])
      cluster.hollow.patch('configmaps', 'default/a', { metadata: { labels: { in: value } }, data: { at: String(cluster.hollow.revision) } });
    cluster.hollow.patch('configmaps', 'default/a', { metadata: { labels: { in: 'yes' } } });
    cluster.hollow.delete('configmaps', 'default/a');
    const events = await watch.take(5);
    expect(events.map((event) => `${brief(event)} ${event.object.metadata.labels.in}`)).toEqual([
      'ADDED default/a 6 yes',
      'MODIFIED default/a 7 yes',
      'DELETED default/a 8 yes',
      'ADDED default/a 10 yes',
      'DELETED default/a 11 yes',
    ]);
  });

  test('SV-S13: a namespace is a whole path segment, and a watch of one name sees only that', async () => {
    cluster.hollow.create('namespaces', { metadata: { name: 'def' } });
    const watch = await cluster.watch('/api/v1/namespaces/def/configmaps?watch=1&resourceVersion=5');
    const one = await cluster.watch(`${PATH}&fieldSelector=metadata.name%3Db&resourceVersion=5`);
    cluster.config('a');
    cluster.config('b');
    cluster.hollow.create('configmaps', { metadata: { name: 'x', namespace: 'def' } });
    expect(brief(await watch.next())).toBe('ADDED def/x 8');
    expect(brief(await one.next())).toBe('ADDED default/b 7');
  });

  test('WC-T10: a reader that the history overtakes gets a gap-free prefix and a clean end, no ERROR', async () => {
    const watch = await cluster.watch(`${PATH}&resourceVersion=4`);
    watch.response.pause();
    const text = 'x'.repeat(400_000);
    for (let n = 0; n < 120; n += 1) {
      cluster.config(`c${n}`, { text });
      await idle();
    }
    watch.response.resume();
    const seen: number[] = [];
    for (;;) {
      const event = await watch.next().catch(() => null);
      if (event === null) break;
      seen.push(Number(event.object.metadata.resourceVersion));
    }
    expect(await watch.ended()).toBe('clean');
    expect(seen).toEqual(seen.map((_, index) => index + 5));
    expect(seen.length).toBeLessThan(120);
  });

  test('WC-T11: two watchers of one kind get the same events, each from its own place', async () => {
    cluster.config('a');
    const late = await cluster.watch(`${PATH}&resourceVersion=5`);
    const early = await cluster.watch(`${PATH}&resourceVersion=4`);
    cluster.config('b');
    expect((await early.take(2)).map(brief)).toEqual(['ADDED default/a 5', 'ADDED default/b 6']);
    expect((await late.take(1)).map(brief)).toEqual(['ADDED default/b 6']);
  });

  test('SV-S11: a Table watch has columns in its first event only', async () => {
    const watch = await cluster.watch(`${PATH}&resourceVersion=4`, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' });
    cluster.config('a');
    cluster.config('b');
    const [first, second] = await watch.take(2);
    expect([first.object.columnDefinitions.length, second.object.columnDefinitions]).toEqual([2, null]);
    expect(second.object.rows[0].cells).toEqual(['b', '0s']);
  });
});

/** Lets the server's immediates run. */
async function idle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
}
