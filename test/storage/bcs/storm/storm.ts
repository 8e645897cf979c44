import { hash } from 'node:crypto';
import type { FaultRule } from '../../../../src/bcsstorage/faults.ts';
import { loadConfig } from '../../../../src/config/load.ts';
import { silentLogger } from '../../../../src/kit/log.ts';
import { seededRandom } from '../../../../src/kit/random.ts';
import { messageOf } from '../../../../src/model/errors.ts';
import { objectKey } from '../../../../src/model/key.ts';
import { Mirror } from '../../../../src/mirror/mirror.ts';
import { ProcessClock, VirtualClock } from '../../../../src/sim/clock.ts';
import { Draw } from '../../../../src/sim/draw.ts';
import { DEFINITIONS, KINDS, MAPS, NODES, type ObjectState, type SimKind, WIDGETS, WIDGETS_DEFINITION } from '../../../../src/sim/kinds.ts';
import { Life } from '../../../../src/sim/life.ts';
import { SimServer } from '../../../../src/sim/server.ts';
import { Told } from '../../../../src/sim/told.ts';
import { Truth } from '../../../../src/sim/truth.ts';
import { Weather } from '../../../../src/sim/weather.ts';
import { BcsStorage } from '../../../../src/storage/bcs/bcs-storage.ts';
import { connectionTo } from '../engine.ts';
import { comebacks, stepsBack } from '../journal-checks.ts';
import { InProcessService } from './in-process-service.ts';

const MINUTE_MS = 60_000;
/** Changes come so often; one to three at a time. */
const BEAT_MS = 200;
const WATCHES_BREAK_EVERY_MS = 3 * MINUTE_MS;
/** When the changes end, and the faults do not, everything must be right within this: the longest backoff of a key is a minute. */
const RIGHT_WITHIN_MS = 5 * MINUTE_MS;
/** Longer than the latest of the requests that are carried out late. */
const AFTERMATH_MS = MINUTE_MS;
/** Time goes on by so much at once: what the database does in a turn of the event loop is done before it goes on. */
const STEP_MS = 5;
const CLUSTER = 'prod';
/** As the engine waits for an answer: after three times this it cuts. */
const TIMEOUT_MS = 5_000;

/** 1 % of all requests fail, 1 % are not answered after they were carried out. */
const FAULTS: readonly FaultRule[] = [
  { effect: { type: 'status', status: 500 }, share: 0.004 },
  { effect: { type: 'refuse' }, share: 0.002 },
  { effect: { type: 'reset', when: 'before' }, share: 0.002 },
  { effect: { type: 'reset', when: 'after' }, share: 0.002 },
  { effect: { type: 'hang', when: 'after' }, share: 0.01 },
];

/**
 * 1 % of the writes are carried out only when their client has given them up: in one minute while it still listens for the answer, in the next when it has cut the
 * connection. Never later than the engine says that it can bear (`cannot`).
 */
const LATE_MS = [TIMEOUT_MS + 3_000, 3 * TIMEOUT_MS + 2_000];

export interface StormResult {
  readonly changes: number;
  /** Documents put or deleted, as the service counts them. */
  readonly writes: number;
  /** What went wrong; the first few of each sort. */
  readonly failures: readonly string[];
  /** Of the service's log: equal for two runs of one seed. */
  readonly digest: string;
}

/**
 * Minutes of changes on a virtual clock: a simulated cluster, the whole mirror, the engine, and the service's own routes and database. The same seed is the
 * same run.
 */
export async function storm(seed: number, minutes: number): Promise<StormResult> {
  const virtual = new VirtualClock();
  const drawOf = (purpose: number): Draw => new Draw(seededRandom(Math.imul(seed, 0x9e3779b1) ^ purpose));
  const life = new Life(() => {});
  const clock = new WholeClock(virtual, life);
  const failures: string[] = [];
  const truth = new Truth((event) => server.happened(event));
  const server = new SimServer({
    clock: virtual,
    draw: drawOf(1),
    truth,
    weather: new Weather(drawOf(2)),
    isRemembered: () => true,
    onListed: () => {},
  });
  const service = new InProcessService(new WholeClock(virtual, new Life(() => {})), drawOf(3).random);
  const storage = new BcsStorage({
    ...connectionTo(['http://storage'], { timeoutMs: TIMEOUT_MS, clock, transport: service.connect }),
    cluster: CLUSTER,
    log: null,
  });
  const mirror = new Mirror({
    clusterName: CLUSTER,
    cluster: server.connect(life, new Told({ truth, fail: (message) => void failures.push(message) })),
    storage,
    config: configuration(),
    clock,
    random: drawOf(4).random,
    log: silentLogger,
    explain: messageOf,
  });

  service.faults.setLatency(80, 40);
  truth.put(DEFINITIONS, '', WIDGETS_DEFINITION);
  const change = changes(truth, drawOf(5));
  for (let count = 0; count < 150; count++) change();
  const opening = storage.open();
  await pass(virtual, 1_000);
  await opening;
  const ending = new AbortController();
  const hurry = new AbortController();
  let hasEnded = false;
  const ended = mirror.run(ending.signal, hurry.signal).then(() => {
    hasEnded = true;
  });
  await pass(virtual, 10_000);

  for (const rule of FAULTS) service.faults.add(rule);
  let inTimeAgain = (): void => {};
  for (let since = 0; since < minutes * MINUTE_MS; since += BEAT_MS) {
    if (since % MINUTE_MS === 0) {
      inTimeAgain();
      const ms = LATE_MS[(since / MINUTE_MS) % LATE_MS.length] ?? 0;
      inTimeAgain = service.faults.add({ effect: { type: 'delay', when: 'before', ms }, methods: ['PUT', 'DELETE'], share: 0.01 });
    }
    change();
    if (since % WATCHES_BREAK_EVERY_MS === 0) server.streams(null, (stream) => stream.break());
    await pass(virtual, BEAT_MS);
  }
  const isRight = (): boolean => mirror.isReady() && differences(truth, service).length === 0;
  const lastAt = virtual.nowMs;
  while (!isRight() && virtual.nowMs < lastAt + RIGHT_WITHIN_MS) await pass(virtual, 1_000);
  await pass(virtual, AFTERMATH_MS);

  const sorts: readonly (readonly [string, readonly string[]])[] = [
    ['differs', differences(truth, service)],
    ['older after newer', stepsBack(service.journal)],
    ['came back', comebacks(service.journal)],
  ];
  for (const [sort, found] of sorts) failures.push(...found.slice(0, 3).map((one) => `${sort} (${found.length}): ${one}`));
  ending.abort();
  hurry.abort();
  for (let waited = 0; !hasEnded && waited < MINUTE_MS; waited += 1_000) await pass(virtual, 1_000);
  if (!hasEnded) failures.push('the mirror does not end');
  else await ended;
  life.die();
  service.db.close();
  const writes = service.journal.filter(({ key }) => !key.includes('/KubefoldRecord/')).length;
  return { changes: truth.mutations, writes, failures, digest: hash('sha256', JSON.stringify(service.journal)) };
}

/** Times that are stored are whole milliseconds. */
class WholeClock extends ProcessClock {
  override wall(): number {
    return Math.round(super.wall());
  }
}

function configuration(): ReturnType<typeof loadConfig> {
  const text = JSON.stringify({
    kinds: KINDS.map(({ id }) => id),
    workers: { default: 4 },
    // What a storm takes away the pipeline itself must bring back: the audit would hide that.
    audit: { everySeconds: null },
    fence: { maxDeleteShare: 1 },
  });
  return loadConfig({ text, file: 'storm.yaml' });
}

async function pass(clock: VirtualClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= STEP_MS) {
    await clock.advance(Math.min(STEP_MS, left), () => false);
    // A commit, and what its answer brings about.
    for (let turn = 0; turn < 2; turn++) await new Promise<void>((resolve) => void setImmediate(resolve));
  }
}

/** A few objects are hot, the others change now and then, go, and come back under the same name. */
function changes(truth: Truth, draw: Draw): () => void {
  const kind = (): SimKind =>
    draw.weighted([
      [70, MAPS],
      [20, WIDGETS],
      [10, NODES],
    ] as const);
  return () => {
    for (let left = draw.whole(1, 3); left > 0; left--) {
      const of = kind();
      const namespace = of === NODES ? '' : draw.of(['ns-a', 'ns-b', 'ns-c']);
      const name = `n${draw.chance(0.4) ? draw.whole(0, 3) : draw.whole(0, of === NODES ? 8 : 40)}`;
      const key = objectKey(namespace, name);
      const put = (): void => truth.put(of, namespace, name, { isQuiet: of === NODES && draw.chance(0.5), pad: draw.whole(10, 400) });
      const how = draw.weighted([
        [80, 'put'],
        [10, 'remove'],
        [10, 'replace'],
      ] as const);
      if (how !== 'put') truth.remove(of, key);
      if (how !== 'remove') put();
    }
  };
}

/** Where the documents of the service are not what the cluster has. */
function differences(truth: Truth, service: InProcessService): string[] {
  const rows = documentsOf(service);
  const wrong: string[] = [];
  for (const kind of KINDS) {
    for (const state of truth.of(kind).objects.values()) {
      const at = `${kind.kind.kind} ${state.key}`;
      const data = rows.get(at);
      rows.delete(at);
      if (data === undefined) wrong.push(`${at} is missing`);
      else if (!isOf(state, data)) wrong.push(`${at} is ${data.slice(0, 200)}, not ${state.body.slice(0, 200)}`);
    }
  }
  for (const at of rows.keys()) wrong.push(`${at} is surplus`);
  return wrong;
}

/** Byte by byte; of a kind whose heartbeats are not worth a write, in what is not a heartbeat. */
function isOf({ kind, uid, content, body }: ObjectState, data: string): boolean {
  if (!kind.isQuiet) return data === body;
  const { metadata, status } = JSON.parse(data) as { metadata: { uid: string }; status: { content: number } };
  return metadata.uid === uid && status.content === content;
}

/** By type and key. */
function documentsOf({ db }: InProcessService): Map<string, string> {
  const rows = db.prepare("SELECT type, namespace, name, data FROM documents WHERE deleted = 0 AND type <> 'KubefoldRecord'").all() as unknown as readonly {
    readonly type: string;
    readonly namespace: string;
    readonly name: string;
    readonly data: string | Uint8Array;
  }[];
  return new Map(rows.map(({ type, namespace, name, data }) => [`${type} ${objectKey(namespace, name)}`, Buffer.from(data).toString()]));
}
