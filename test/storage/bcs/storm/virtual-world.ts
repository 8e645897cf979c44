import { loadConfig } from '../../../../src/config/load.ts';
import { silentLogger } from '../../../../src/kit/log.ts';
import { seededRandom } from '../../../../src/kit/random.ts';
import { messageOf } from '../../../../src/model/errors.ts';
import { objectKey } from '../../../../src/model/key.ts';
import { Mirror } from '../../../../src/mirror/mirror.ts';
import { ProcessClock, VirtualClock } from '../../../../src/sim/clock.ts';
import { Draw } from '../../../../src/sim/draw.ts';
import { KINDS, type ObjectState } from '../../../../src/sim/kinds.ts';
import { Life } from '../../../../src/sim/life.ts';
import { SimServer } from '../../../../src/sim/server.ts';
import { Told } from '../../../../src/sim/told.ts';
import { Truth } from '../../../../src/sim/truth.ts';
import { Weather } from '../../../../src/sim/weather.ts';
import { BcsStorage } from '../../../../src/storage/bcs/bcs-storage.ts';
import { connectionTo } from '../engine.ts';
import { InProcessService } from './in-process-service.ts';

const CLUSTER = 'prod';
/** Time goes on by so much at once: what the database does in a turn of the event loop is done before it goes on. */
const STEP_MS = 5;
const ENDS_WITHIN_MS = 60_000;
/** As the engine waits for an answer: after three times this it cuts. */
export const TIMEOUT_MS = 5_000;

/** A simulated cluster, the whole mirror, the engine, and the service's own routes and database, on a virtual clock. The same seed is the same run. */
export class VirtualWorld {
  readonly truth: Truth;
  readonly server: SimServer;
  readonly service: InProcessService;
  readonly mirror: Mirror;
  /** What the mirror did that no mirror may. */
  readonly bugs: string[] = [];
  readonly #clock = new VirtualClock();
  readonly #life = new Life(() => {});
  readonly #storage: BcsStorage;
  readonly #seed: number;
  readonly #ending = new AbortController();
  readonly #hurry = new AbortController();
  #ended: Promise<void> | null = null;

  constructor(seed: number) {
    this.#seed = seed;
    const clock = new WholeClock(this.#clock, this.#life);
    const truth = new Truth((event) => this.server.happened(event));
    this.truth = truth;
    this.server = new SimServer({
      clock: this.#clock,
      draw: this.drawOf(1),
      truth,
      weather: new Weather(this.drawOf(2)),
      isRemembered: () => true,
      onListed: () => {},
    });
    this.service = new InProcessService(new WholeClock(this.#clock, new Life(() => {})), this.drawOf(3).random);
    this.#storage = new BcsStorage({
      ...connectionTo(['http://storage'], { timeoutMs: TIMEOUT_MS, clock, transport: this.service.connect }),
      cluster: CLUSTER,
      log: null,
    });
    this.mirror = new Mirror({
      clusterName: CLUSTER,
      cluster: this.server.connect(this.#life, new Told({ hasStoodBy: false, truth, fail: (message) => void this.bugs.push(message) })),
      storage: this.#storage,
      config: configuration(),
      clock,
      random: this.drawOf(4).random,
      log: silentLogger,
      explain: messageOf,
    });
  }

  get nowMs(): number {
    return this.#clock.nowMs;
  }

  /** Chance of its own for each purpose. */
  drawOf(purpose: number): Draw {
    return new Draw(seededRandom(Math.imul(this.#seed, 0x9e3779b1) ^ purpose));
  }

  async begin(): Promise<void> {
    const opening = this.#storage.open();
    await this.pass(1_000);
    await opening;
    this.#ended = this.mirror.run(this.#ending.signal, this.#hurry.signal);
  }

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STEP_MS) {
      await this.#clock.advance(Math.min(STEP_MS, left), () => false);
      // A commit, and what its answer brings about.
      for (let turn = 0; turn < 2; turn++) await new Promise<void>((resolve) => void setImmediate(resolve));
    }
  }

  /** Ends the mirror without waiting for anything that is queued; false when it does not end. */
  async end(): Promise<boolean> {
    let hasEnded = false;
    void this.#ended?.then(() => {
      hasEnded = true;
    });
    this.#ending.abort();
    this.#hurry.abort();
    for (let waited = 0; !hasEnded && waited < ENDS_WITHIN_MS; waited += 1_000) await this.pass(1_000);
    this.#life.die();
    this.service.db.close();
    return hasEnded;
  }

  /** Where the documents of the service are not what the cluster has. */
  differences(): string[] {
    const rows = this.#documents();
    const wrong: string[] = [];
    for (const kind of KINDS) {
      for (const state of this.truth.of(kind).objects.values()) {
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

  /** By type and key. */
  #documents(): Map<string, string> {
    const rows = this.service.db
      .prepare("SELECT type, namespace, name, data FROM documents WHERE deleted = 0 AND type <> 'KubefoldRecord'")
      .all() as unknown as readonly { readonly type: string; readonly namespace: string; readonly name: string; readonly data: string | Uint8Array }[];
    return new Map(rows.map(({ type, namespace, name, data }) => [`${type} ${objectKey(namespace, name)}`, Buffer.from(data).toString()]));
  }
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
    // What goes wrong with a request the pipeline itself must mend: the audit would hide that it does not.
    audit: { everySeconds: null },
    fence: { maxDeleteShare: 1 },
  });
  return loadConfig({ text, file: 'virtual.yaml' });
}

/** Byte by byte; of a kind whose heartbeats are not worth a write, in what is not a heartbeat. */
function isOf({ kind, uid, content, body }: ObjectState, data: string): boolean {
  if (!kind.isQuiet) return data === body;
  const { metadata, status } = JSON.parse(data) as { metadata: { uid: string }; status: { content: number } };
  return metadata.uid === uid && status.content === content;
}
