import type { KindId, Scope } from '../model/kind.ts';
import type { ObjectMeta } from '../model/object.ts';
import { compareRevisions, type Revision } from '../model/revision.ts';
import type { ScopeRecord } from '../storage/storage.ts';
import { Positions } from './positions.ts';

/** Where the rows of a kind come from; recorded with them, so that the next start knows whether it may go on from there. */
export interface RowOrigin {
  /** What the plan makes of content (ScopeRecord.stored). */
  readonly form: string;
  /** What the plan selects (ScopeRecord.rules). */
  readonly rules: string;
  /** The cluster (ScopeRecord.identity). */
  readonly identity: string | null;
}

/** How complete the cache is for one scope, and what of it is durable. */
export class ScopeState {
  readonly scope: Scope;
  readonly positions = new Positions();
  /** Rises with every list. Entries carry the number of the list that saw them last. */
  mark = 0;
  /** The running list shows a history that went back: revisions known from before it cannot be compared with its own. */
  regressed = false;
  /** The newest of the rows that storage held at the start; null once a list showed that the cluster has got as far. */
  newestLoaded: Readonly<ObjectMeta> | null = null;
  /** A list was complete once: from then on absence in the cache means absence in the cluster. */
  complete = false;
  /** It went on from what an earlier process recorded, and neither was its watch accepted yet nor has a list ended. */
  isResuming = false;
  /** Something could not be read since the last list of which everything could: it may be missing, so no start may go on from here without a list. */
  isDoubtful = false;
  /** Everything up to here was delivered to the cache. */
  progress: Revision | null = null;
  /**
   * A former leader had recorded, or stored, changes up to here: until as much was delivered, or a list tells, they may be of another history, and its record
   * is better than ours. Null when nobody led before.
   */
  recordedUpTo: Revision | null = null;
  /** Unix ms of the last complete list. */
  listedAt: number | null = null;
  /** Unix ms of the last sign of life by which the cache is current: on a watch, or at the end of a list. A list that is still coming proves nothing yet. */
  heardAt: number | null = null;
  /** Live objects in the scope. */
  objects = 0;
  /** Objects gone from the cluster whose rows stay until somebody confirms that they may go. */
  held = 0;
  /** Rows that storage holds in another form than the plan asks for, until the write of each, or its delete, is durable. */
  rewrites = 0;

  constructor(scope: Scope) {
    this.scope = scope;
  }

  /**
   * A list was complete and each of its objects is durable, parked, or held: nothing is to be waited for that waiting would bring. A scope that goes
   * on from an earlier process is done once the API server has agreed to that.
   */
  get isDone(): boolean {
    return this.#isRecorded && !this.isResuming;
  }

  get #isRecorded(): boolean {
    return this.complete && this.positions.awaited === 0;
  }

  /** Less was delivered than a former leader had known. */
  get isBehindRecord(): boolean {
    return this.recordedUpTo !== null && (this.progress === null || compareRevisions(this.progress, this.recordedUpTo) < 0);
  }

  /** Goes on from what an earlier process recorded: everything up to the watermark is durable, so absence from the rows means absence in the cluster. */
  resume(from: { readonly watermark: Revision; readonly listedAt: number | null; readonly heardAt: number | null }): void {
    this.complete = true;
    this.isResuming = true;
    this.progress = from.watermark;
    this.listedAt = from.listedAt;
    this.heardAt = from.heardAt;
  }

  /** The newest revision with every change up to it durable. */
  get watermark(): Revision | null {
    if (!this.complete || this.isDoubtful) return null;
    const oldest = this.positions.oldest();
    return oldest === null ? this.progress : oldest.before;
  }

  /** What is recorded may lag, never lead: so the form is only named when it is that of every row. */
  record(kind: KindId, { form, rules, identity }: RowOrigin): ScopeRecord {
    return {
      kind,
      scope: this.scope,
      watermark: this.watermark,
      listedAt: this.listedAt,
      heardAt: this.heardAt,
      objects: this.objects,
      complete: this.#isRecorded,
      stored: this.rewrites === 0 ? form : null,
      rules,
      identity,
    };
  }
}
