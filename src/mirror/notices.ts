import type { MirrorStatus } from '../model/status.ts';

/** What a person must know about a pod, as an Event says it. */
export interface Notice {
  readonly type: 'Normal' | 'Warning';
  /** One word, for filters. */
  readonly reason: 'ConfigurationApplied' | 'ConfigurationRefused' | 'DeletionsHeld' | 'ObjectsParked' | 'Leading' | 'ShardTaken' | 'ShardGivenBack';
  readonly message: string;
}

/** The API server takes no longer message. */
const LONGEST_MESSAGE = 1_024;

/** Says each thing once, when it begins: what was said is known by a key, and forgotten when it is over. */
export class Notices {
  #said = new Map<string, string>();

  /** What is new in `status`. */
  next(status: MirrorStatus): readonly Notice[] {
    const now = new Map<string, string>();
    const notices: Notice[] = [];
    for (const [key, state, notice] of stateOf(status)) {
      now.set(key, state);
      if (this.#said.get(key) !== state) notices.push({ ...notice, message: shortened(notice.message) });
    }
    this.#said = now;
    return notices;
  }
}

/** Everything there is to say now: what it is about, in which state that is, and the words. */
function* stateOf({ configuration, kinds, leadership, shards }: MirrorStatus): Generator<readonly [key: string, state: string, notice: Notice]> {
  if (configuration !== undefined && configuration.version !== null) {
    const { version, appliedAt, waitsForRestart, refused } = configuration;
    const waits = waitsForRestart.length === 0 ? '' : `; these keys wait for a restart: ${waitsForRestart.join(', ')}`;
    yield ['applied', `${version} ${appliedAt}`, { type: 'Normal', reason: 'ConfigurationApplied', message: `configuration ${version} is in use${waits}` }];
    if (refused !== null) {
      const message = `configuration ${refused.version} is refused as a whole, ${version} stays in use: ${refused.error}`;
      yield ['refused', refused.version, { type: 'Warning', reason: 'ConfigurationRefused', message }];
    }
  }
  if (leadership !== undefined && leadership.epoch !== null) {
    yield ['leading', String(leadership.epoch), { type: 'Normal', reason: 'Leading', message: `this pod writes the copy, with epoch ${leadership.epoch}` }];
  }
  for (const { index, epoch } of shards?.own ?? []) {
    const message = `this pod writes shard ${index} of ${shards?.count}, with epoch ${epoch}`;
    yield [`shard ${index}`, `own ${epoch}`, { type: 'Normal', reason: 'ShardTaken', message }];
  }
  for (const { index, at, why } of shards?.given ?? []) {
    yield [
      `given ${index}`,
      String(at),
      { type: 'Normal', reason: 'ShardGivenBack', message: `this pod gives shard ${index} of ${shards?.count} back: ${why}` },
    ];
  }
  for (const { id, held, heldSince, firstHeld, parked, firstParked } of kinds) {
    if (held > 0) {
      const message = `${held} rows of ${id} whose objects are gone stay until somebody looks: kubefold confirm ${id}. The first is ${firstHeld ?? 'not known'}`;
      yield [`held ${id}`, String(heldSince), { type: 'Warning', reason: 'DeletionsHeld', message }];
    }
    // That there are more of them is for the metrics.
    if (parked > 0) {
      const message = `storage refuses objects of ${id}, ${parked} now: kubefold parked list. The first is ${firstParked?.key ?? 'not known'}: ${firstParked?.error ?? ''}`;
      yield [`parked ${id}`, 'parked', { type: 'Warning', reason: 'ObjectsParked', message }];
    }
  }
}

function shortened(message: string): string {
  return message.length <= LONGEST_MESSAGE ? message : `${message.slice(0, LONGEST_MESSAGE - 1)}…`;
}
