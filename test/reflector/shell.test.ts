import { describe, expect, test } from 'vitest';
import type { Kind } from '../../src/model/kind.ts';
import { seededRandom } from '../../src/kit/random.ts';
import { silentLogger, type LogFields, type Logger } from '../../src/kit/log.ts';
import { createReflector, type ReflectorParts } from '../../src/reflector/shell.ts';
import { ManualClock, settled } from '../support/manual-clock.ts';
import { ScriptedCluster, type Fault } from '../support/scripted-cluster.ts';
import { MapSink } from './map-sink.ts';

const WIDGETS: Kind = {
  group: 'example.com',
  version: 'v1',
  resource: 'widgets',
  kind: 'Widget',
  namespaced: true,
  singular: 'widget',
  shortNames: [],
  categories: [],
};

interface Stage {
  readonly clock: ManualClock;
  readonly cluster: ScriptedCluster;
  readonly sink: MapSink;
  readonly log: { readonly level: string; readonly message: string; readonly fields: LogFields }[];
  readonly reflector: ReturnType<typeof createReflector>;
  readonly running: Promise<void>;
  /** Ends the reflector and checks that nothing is left behind. */
  end(): Promise<void>;
}

async function stage(options: Partial<ReflectorParts> = {}, prepare: (cluster: ScriptedCluster, sink: MapSink) => void = () => {}): Promise<Stage> {
  const clock = new ManualClock();
  const random = seededRandom(7);
  const cluster = new ScriptedCluster({ kind: WIDGETS, clock, random });
  const sink = new MapSink(cluster);
  prepare(cluster, sink);
  const log: Stage['log'] = [];
  const write =
    (level: string) =>
    (message: string, fields: LogFields = {}): void =>
      void log.push({ level, message, fields });
  const logger: Logger = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error'), child: () => logger };
  const reflector = createReflector({ kind: WIDGETS, scope: '', cluster, sink, clock, random, log: logger, ...options });
  const ending = new AbortController();
  const running = reflector.run(ending.signal);
  running.catch(() => {});
  await settled();
  const end = async (): Promise<void> => {
    ending.abort();
    await running;
    await settled();
    expect(cluster.open, 'requests still open').toBe(0);
    expect(clock.pending, 'timers still armed').toBe(0);
    expect(cluster.mostOpen, 'requests at the same time').toBeLessThanOrEqual(1);
    expect(sink.breaches).toEqual([]);
  };
  return { clock, cluster, sink, log, reflector, running, end };
}

const fill =
  (count: number) =>
  (cluster: ScriptedCluster): void => {
    for (let number = 0; number < count; number++) cluster.put(`w${number}`);
  };
const faults = (cluster: ScriptedCluster, ...planned: readonly (Fault | null)[]): void => {
  const from = cluster.requests.length;
  cluster.fault = ({ number }) => planned[number - from] ?? null;
};

describe('a reflector', () => {
  for (const firstList of ['paged', 'streaming'] as const) {
    test(`RF-T4, RF-T21: lists (${firstList}), then follows every change of the watch`, async () => {
      const { cluster, sink, end } = await stage({ options: { firstList, pageSize: 4 } }, fill(10));
      expect(sink.state).toEqual(cluster.truth);
      expect(cluster.requests.map((request) => request.verb)).toEqual(firstList === 'paged' ? ['list', 'list', 'list', 'watch'] : ['watch']);
      cluster.put('w3', 'changed');
      cluster.put('new');
      cluster.remove('w4');
      await settled();
      expect(sink.state).toEqual(cluster.truth);
      expect(sink.progressed).toBe(cluster.revision);
      expect(sink.calls.filter((call) => call.startsWith('end'))).toHaveLength(1);
      await end();
    });
  }

  test('RF-S8: a chunk of several events publishes one revision, after all of its objects', async () => {
    const { cluster, sink, end } = await stage();
    for (let number = 0; number < 20; number++) cluster.put(`w${number}`);
    await settled();
    const published = sink.calls.flatMap((call, at) => (call.startsWith('progress') ? [at] : []));
    expect(published.length).toBeGreaterThan(0);
    expect(sink.calls.at(-1)).toBe(`progress ${cluster.revision}`);
    await end();
  });

  test('resumes from a stored revision without a list, and lists when that is too old', async () => {
    // Its cache was filled from storage, which this sink is spared: so it is not compared with the cluster.
    const sink = new MapSink();
    const { cluster, end } = await stage({ resumeFrom: '103', sink }, fill(5));
    expect(sink.calls).toEqual(['watch w3@104', 'watch w4@105', 'progress 105']);
    await end();
    const old = await stage({ resumeFrom: '101' }, (filled) => {
      fill(5)(filled);
      filled.compact();
    });
    await old.clock.advanceAsync(2000);
    expect(old.sink.calls[0]).toBe('begin expired');
    expect(old.sink.state).toEqual(old.cluster.truth);
    await old.end();
    expect(cluster.requests.map((request) => request.verb)).toEqual(['watch']);
  });

  test('RF-S12: a server that ends all its watches is watched again from the last revision, within the jitter', async () => {
    const { clock, cluster, sink, end } = await stage({}, fill(3));
    await clock.advanceAsync(5000);
    cluster.put('late');
    await settled();
    cluster.endWatches();
    cluster.put('between');
    await clock.advanceAsync(250);
    expect(sink.state).toEqual(cluster.truth);
    expect(sink.lists).toBe(1);
    await end();
  });

  test('RF-S10: while nobody listens it waits and tries, and takes up the watch without a list', async () => {
    const { clock, cluster, sink, end } = await stage({}, fill(3));
    faults(cluster, ...Array<Fault>(5).fill({ do: 'network', code: 'ECONNREFUSED' }));
    await clock.advanceAsync(2000);
    cluster.cutWatches();
    cluster.put('meanwhile');
    await clock.advanceAsync(120_000);
    expect(sink.state).toEqual(cluster.truth);
    expect(cluster.requests.map((request) => request.verb)).toEqual(['list', ...Array<string>(7).fill('watch')]);
    await end();
  });

  test('RF-S3, RF-S11: a 410 leads to a list that also finds what was deleted meanwhile', async () => {
    const { clock, cluster, sink, end } = await stage({}, fill(5));
    await clock.advanceAsync(2000);
    faults(cluster, { do: 'network', code: 'ECONNRESET' });
    cluster.cutWatches();
    cluster.remove('w2');
    cluster.compact();
    await clock.advanceAsync(10_000);
    expect(sink.state).toEqual(cluster.truth);
    expect(sink.calls).toContain('begin expired');
    await end();
  });

  test('RF-S5, RF-T18: continue tokens that keep expiring lead to a streaming list, and without that to one full list', async () => {
    for (const streams of [true, false]) {
      const { clock, cluster, sink, end } = await stage({ options: { pageSize: 2 } }, (filled, waiting) => {
        fill(7)(filled);
        filled.streams = streams;
        waiting.waitForRoom = async () => filled.expireTokens();
      });
      await clock.advanceAsync(1000);
      expect(sink.state).toEqual(cluster.truth);
      expect(cluster.requests.map(({ verb, query }) => `${verb} ${'limit' in query ? query.limit : ''}`.trim())).toEqual(
        streams ? ['list 2', 'list 2', 'list 2', 'list 2', 'watch'] : ['list 2', 'list 2', 'list 2', 'list 2', 'watch', 'list', 'watch'],
      );
      await end();
    }
  });

  test('a page that breaks in its middle deletes nothing, and the list is done again', async () => {
    const { clock, cluster, sink, end } = await stage({ options: { pageSize: 3 } }, (filled) => {
      fill(9)(filled);
      faults(filled, null, { do: 'cut', afterBytes: 400 });
    });
    expect(sink.calls.at(-1)).toBe('abort');
    expect(sink.entries.size).toBeGreaterThanOrEqual(3);
    await clock.advanceAsync(2000);
    expect(sink.state).toEqual(cluster.truth);
    await end();
  });

  test('403: nothing is listed as empty, the log says what to grant, and rights given later are enough', async () => {
    const { clock, cluster, sink, log, end } = await stage({}, (filled) => {
      fill(3)(filled);
      filled.fault = () => ({ do: 'refuse', status: 403, reason: 'Forbidden', message: 'widgets is forbidden' });
    });
    await clock.advanceAsync(20_000);
    expect(sink.calls).toEqual([]);
    expect(sink.statuses.at(-1)).toMatchObject({ at: 'waiting', httpStatus: 403 });
    expect(log[0]).toMatchObject({ level: 'warn', fields: { status: 403, resource: 'widgets.example.com' } });
    expect(log[0]?.fields['grant']).toBe(
      'a ClusterRole with apiGroups ["example.com"], resources ["widgets"], verbs ["get", "list", "watch"]; kubefold rbac prints the whole role',
    );
    cluster.fault = () => null;
    await clock.advanceAsync(60_000);
    expect(sink.state).toEqual(cluster.truth);
    await end();
  });

  test('a failure that repeats grows louder with the delay it reached', async () => {
    const { clock, log, end } = await stage({ options: { backoff: { baseMs: 800, capMs: 30_000, jitter: 0 } } }, (filled) => {
      filled.fault = () => ({ do: 'network', code: 'ECONNREFUSED' });
    });
    await clock.advanceAsync(120_000);
    expect(log.map((line) => line.level)).toEqual(['debug', 'info', 'info', 'warn', 'warn', 'error', 'error', 'error', 'error']);
    expect(log.at(-1)?.fields).toMatchObject({ during: 'list', next: 'list', code: 'ECONNREFUSED' });
    await end();
  });

  test('RF-S18: a connection that died in silence is left, and the watch taken up from where it was', async () => {
    const { clock, cluster, sink, end } = await stage({}, fill(3));
    faults(cluster, { do: 'hang', before: false }, { do: 'hang', before: true });
    await clock.advanceAsync(5000);
    cluster.endWatches();
    await clock.advanceAsync(1000);
    cluster.put('unseen');
    await clock.advanceAsync(12 * 60_000);
    expect(sink.state).toEqual(cluster.truth);
    expect(sink.lists).toBe(1);
    await end();
  });

  test('a list request that hangs is left too', async () => {
    const { clock, cluster, sink, end } = await stage({}, (filled) => {
      fill(3)(filled);
      faults(filled, { do: 'hang', before: true }, { do: 'hang', before: false });
    });
    await clock.advanceAsync(180_000);
    expect(sink.state).toEqual(cluster.truth);
    await end();
  });

  test('a cluster whose history went back is found by any list, which then begins again as regressed', async () => {
    const bare = new MapSink();
    const { clock, cluster, reflector, log, end } = await stage({ sink: bare }, fill(5));
    await clock.advanceAsync(5000);
    cluster.wipe();
    cluster.put('w1');
    reflector.resync('audit');
    await settled();
    expect(bare.calls.filter((call) => /^(begin|abort|end)/.test(call))).toEqual([
      'begin first',
      'end 105',
      'begin audit',
      'abort',
      'begin regressed',
      'end 11',
    ]);
    expect(bare.state).toEqual(cluster.truth);
    expect(log).toContainEqual(expect.objectContaining({ level: 'warn', fields: { known: '105', found: '11' } }));
    await end();
  });

  test('a wiped cluster: asked for by whoever noticed, the list throws out what is gone', async () => {
    const bare = new MapSink();
    const { clock, cluster, reflector, end } = await stage({ sink: bare }, fill(5));
    await clock.advanceAsync(5000);
    cluster.wipe();
    cluster.put('w1');
    await clock.advanceAsync(5000);
    expect(bare.state.size, 'a wiped etcd is silent on a watch').toBe(5);
    reflector.resync('regressed');
    await settled();
    expect(bare.calls).toContain('begin regressed');
    expect(bare.state).toEqual(cluster.truth);
    cluster.put('w2');
    await settled();
    expect(bare.state).toEqual(cluster.truth);
    await end();
  });

  test('selectors go with every page and watch, and are read anew when a list begins', async () => {
    const selectors = { labelSelector: 'app=a' };
    const { cluster, reflector, end } = await stage({ selectors, options: { pageSize: 2 } }, fill(3));
    expect(cluster.requests.map(({ query }) => query.labelSelector)).toEqual(['app=a', 'app=a', 'app=a']);
    selectors.labelSelector = 'app=b';
    reflector.resync('rules');
    await settled();
    expect(cluster.requests.slice(3).map(({ query }) => query.labelSelector)).toEqual(['app=b', 'app=b', 'app=b']);
    await end();
  });

  test('RF-S14: an event that cannot be read is reported, and the stream goes on', async () => {
    const { cluster, sink, end } = await stage({}, fill(1));
    cluster.inject('{"type":"MODIFIED","object":{"kind":"Widget","apiVersion":"example.com/v1","spec":{}}}\n');
    cluster.inject('this is no JSON\n');
    cluster.put('after');
    await settled();
    expect(sink.damages).toHaveLength(2);
    expect(sink.state).toEqual(cluster.truth);
    expect(sink.lists).toBe(1);
    await end();
  });

  for (const line of [
    '{"type":"DELETED","object":{"kind":"Widget","apiVersion":"example.com/v1"}}',
    '{"type":"DELETED","object":null}',
    '{"type":"DELETED"}',
  ]) {
    test(`a delete is not lost when its object is: ${line}`, async () => {
      const { clock, cluster, sink, end } = await stage({}, fill(3));
      await clock.advanceAsync(2000);
      cluster.inject(`${line}\n`);
      await settled();
      await clock.advanceAsync(2000);
      expect(sink.calls).toContain('begin audit');
      expect(sink.state).toEqual(cluster.truth);
      await end();
    });
  }

  test('RF-S7: abort ends it in every state, at once, and leaves nothing open', async () => {
    const scenes: readonly ((cluster: ScriptedCluster, sink: MapSink) => void)[] = [
      () => {},
      (cluster) => faults(cluster, { do: 'hang', before: true }),
      (cluster) => faults(cluster, { do: 'hang', before: false }),
      (cluster) => faults(cluster, null, { do: 'hang', before: true }),
      (cluster) => faults(cluster, null, { do: 'hang', before: false }),
      (cluster) => faults(cluster, { do: 'network', code: 'ECONNREFUSED' }),
      (_cluster, sink) => {
        sink.waitForRoom = (signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
      },
    ];
    for (const scene of scenes) {
      const { end } = await stage({}, scene);
      await end();
    }
    const aborted = createReflector({
      kind: WIDGETS,
      scope: '',
      cluster: new ScriptedCluster({ kind: WIDGETS, clock: new ManualClock(), random: seededRandom(1) }),
      sink: new MapSink(),
      clock: new ManualClock(),
      random: seededRandom(1),
      log: silentLogger,
    });
    await expect(aborted.run(AbortSignal.abort())).resolves.toBeUndefined();
    await expect(aborted.run(AbortSignal.abort())).rejects.toThrow(/runs already or has ended/);
  });

  test('RF-S7: a sink that throws is a bug and ends the reflector with that error; it is not retried as a broken connection', async () => {
    const bug = new Error('a bug in the sink');
    const throwing = (): never => {
      throw bug;
    };
    for (const method of ['listBegin', 'object', 'listEnd', 'room', 'heard', 'status'] as const) {
      const { cluster, running } = await stage({}, (filled, sink) => {
        fill(3)(filled);
        Object.defineProperty(sink, method, { value: throwing });
      });
      await expect(running).rejects.toBe(bug);
      await settled();
      expect(cluster.open).toBe(0);
    }
  });

  test('a last event without its newline is delivered, and the watch goes on behind it', async () => {
    const { clock, cluster, end } = await stage({ sink: new MapSink() }, fill(1));
    await clock.advanceAsync(5000);
    cluster.inject(
      '{"type":"ADDED","object":{"kind":"Widget","apiVersion":"example.com/v1","metadata":{"name":"whole","namespace":"default","uid":"u","resourceVersion":"500"}}}',
    );
    await settled();
    cluster.endWatches();
    await clock.advanceAsync(1000);
    expect(cluster.requests.at(-1)?.query.resourceVersion).toBe('500');
    await end();
  });

  test('a Table is not a list of this kind: nothing is concluded from it', async () => {
    const clock = new ManualClock();
    const cluster = new ScriptedCluster({ kind: WIDGETS, clock, random: seededRandom(1) });
    cluster.list = async (_kind, _scope, _query, give) =>
      give(Buffer.from('{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"9"},"columnDefinitions":[],"rows":[]}'));
    const { sink, end } = await stage({ cluster });
    expect(sink.calls.at(-1)).toBe('abort');
    expect(sink.statuses.at(-1)).toMatchObject({ at: 'waiting', httpStatus: null });
    await end();
  });

  test('RF-S15: a request that was left says nothing any more, even when its bytes still come', async () => {
    const { cluster, sink, reflector, end } = await stage({ options: { pageSize: 100 } }, fill(50));
    cluster.put('w1', 'x'.repeat(50_000));
    reflector.resync('rules');
    await settled();
    expect(sink.state).toEqual(cluster.truth);
    await end();
  });
});
