import { namespaceOf, type ObjectKey } from '../../src/model/key.ts';

interface Line {
  readonly key: ObjectKey;
  readonly priority: number;
}

interface Waiting extends Line {
  readonly deadline: number;
  readonly order: number;
}

interface Taker {
  readonly max: number;
  readonly give: (keys: readonly ObjectKey[]) => void;
}

/** The queue as one would write it on a blackboard: arrays, linear scans, no thought of speed. It is told the time and the jittered delays. */
export class QueueTwin {
  /** In the order of lining up. */
  #ready: Line[] = [];
  /** Whose turn it is: one entry a priority and namespace that has ready keys. */
  #turns: { readonly priority: number; readonly namespace: string }[] = [];
  #held: Line[] = [];
  /** Dirty while held. */
  #again: Line[] = [];
  #waiting: Waiting[] = [];
  #takers: Taker[] = [];
  #failures: { readonly key: ObjectKey; count: number }[] = [];
  #levels: { readonly priority: number; servedAt: number }[] = [];
  #phase: 'open' | 'draining' | 'down' = 'open';
  #takes = 0;
  #turn = 0;
  #orders = 0;
  #drainAsked = false;
  #drainReleased = false;
  now = 0;

  get length(): number {
    return this.#ready.length;
  }
  get held(): readonly ObjectKey[] {
    return this.#held.map((line) => line.key);
  }
  get waiting(): number {
    return this.#waiting.length;
  }
  get depth(): number {
    return this.#ready.length + this.#again.length;
  }
  get isDrained(): boolean {
    return this.#drainAsked && this.#drainReleased;
  }
  requeues(key: ObjectKey): number {
    return this.#failures.find((one) => one.key === key)?.count ?? 0;
  }

  add(key: ObjectKey, priority = 0): void {
    if (this.#phase === 'open') this.#ask(key, priority);
  }

  addAfter(key: ObjectKey, delayMs: number, priority?: number): void {
    if (this.#phase !== 'open') return;
    const wanted = priority ?? this.#held.find((line) => line.key === key)?.priority ?? 0;
    if (delayMs <= 0 || this.#isDirty(key)) {
      this.#ask(key, wanted);
      return;
    }
    const before = this.#waiting.find((one) => one.key === key);
    const deadline = this.now + delayMs;
    const isEarlier = before === undefined || deadline < before.deadline;
    this.#waiting = this.#waiting.filter((one) => one.key !== key);
    this.#waiting.push({
      key,
      priority: Math.max(before?.priority ?? wanted, wanted),
      deadline: isEarlier ? deadline : before.deadline,
      order: isEarlier ? this.#orders++ : before.order,
    });
  }

  addRateLimited(key: ObjectKey, delayMs: number, priority?: number): void {
    const failed = this.#failures.find((one) => one.key === key);
    if (failed === undefined) this.#failures.push({ key, count: 1 });
    else failed.count++;
    this.addAfter(key, delayMs, priority);
  }

  forget(key: ObjectKey): void {
    this.#failures = this.#failures.filter((one) => one.key !== key);
  }

  take(taker: Taker): void {
    if (this.#takers.length > 0) this.#takers.push(taker);
    else if (this.#ready.length > 0) taker.give(this.#handOut(taker.max));
    else if (this.#isOver()) taker.give([]);
    else this.#takers.push(taker);
  }

  done(key: ObjectKey): void {
    this.#held = this.#held.filter((line) => line.key !== key);
    const again = this.#again.find((line) => line.key === key);
    this.#again = this.#again.filter((line) => line.key !== key);
    if (again !== undefined) this.#lineUp(again);
    this.#end();
  }

  advance(ms: number): void {
    this.now += ms;
    const due = this.#waiting.filter((one) => one.deadline <= this.now).sort((a, b) => a.deadline - b.deadline || a.order - b.order);
    for (const one of due) this.#ask(one.key, one.priority);
  }

  /** The current burst is over. */
  settle(): void {
    while (this.#ready.length > 0 && this.#takers.length > 0) {
      const taker = this.#takers.shift();
      taker?.give(this.#handOut(taker.max));
    }
    this.#end();
  }

  shutDown(): void {
    this.#phase = 'down';
    this.#waiting = [];
    this.#drainReleased = true;
    this.#end();
  }

  drain(): void {
    this.#drainAsked = true;
    if (this.#phase === 'open') this.#phase = 'draining';
    this.#waiting = [];
    this.#end();
  }

  #isDirty(key: ObjectKey): boolean {
    return [...this.#ready, ...this.#again].some((line) => line.key === key);
  }

  #ask(key: ObjectKey, wanted: number): void {
    const waiting = this.#waiting.find((one) => one.key === key);
    this.#waiting = this.#waiting.filter((one) => one.key !== key);
    const priority = Math.max(waiting?.priority ?? wanted, wanted);
    const queued = this.#ready.find((line) => line.key === key);
    const again = this.#again.find((line) => line.key === key);
    if (queued !== undefined) {
      if (priority <= queued.priority) return;
      this.#leave(queued);
      this.#lineUp({ key, priority });
    } else if (this.#held.some((line) => line.key === key)) {
      this.#again = this.#again.filter((line) => line.key !== key);
      this.#again.push({ key, priority: Math.max(again?.priority ?? priority, priority) });
    } else {
      this.#lineUp({ key, priority });
    }
  }

  #lineUp(line: Line): void {
    if (!this.#ready.some((one) => one.priority === line.priority)) {
      this.#levels = this.#levels.filter((level) => level.priority !== line.priority);
      this.#levels.push({ priority: line.priority, servedAt: this.#takes });
    }
    this.#ready.push(line);
    const turn = { priority: line.priority, namespace: namespaceOf(line.key) };
    if (!this.#turns.some((one) => one.priority === turn.priority && one.namespace === turn.namespace)) this.#turns.push(turn);
  }

  #leave(line: Line): void {
    this.#ready = this.#ready.filter((one) => one !== line);
    const isSame = (one: Line): boolean => one.priority === line.priority && namespaceOf(one.key) === namespaceOf(line.key);
    if (!this.#ready.some(isSame)) this.#turns = this.#turns.filter((one) => one.priority !== line.priority || one.namespace !== namespaceOf(line.key));
  }

  #next(): Line | undefined {
    const priorities = [...new Set(this.#ready.map((line) => line.priority))].sort((a, b) => b - a);
    let chosen = priorities[0];
    if (priorities.length <= 1) {
      this.#turn = 0;
    } else {
      this.#turn = (this.#turn + 1) % 8;
      if (this.#turn === 0) chosen = priorities.at(-1);
      if (this.#turn === 4 && priorities.length > 2) {
        const between = this.#levels.filter((level) => priorities.slice(1, -1).includes(level.priority));
        const longest = Math.min(...between.map((level) => level.servedAt));
        chosen = Math.max(...between.filter((level) => level.servedAt === longest).map((level) => level.priority));
      }
    }
    const turn = this.#turns.find((one) => one.priority === chosen);
    const line = this.#ready.find((one) => one.priority === turn?.priority && namespaceOf(one.key) === turn.namespace);
    if (line === undefined || turn === undefined) return undefined;
    this.#takes++;
    for (const level of this.#levels) if (level.priority === chosen) level.servedAt = this.#takes;
    this.#leave(line);
    if (this.#turns.includes(turn)) this.#turns = [...this.#turns.filter((one) => one !== turn), turn];
    return line;
  }

  #handOut(max: number): ObjectKey[] {
    const keys: ObjectKey[] = [];
    while (keys.length < max) {
      const line = this.#next();
      if (line === undefined) break;
      this.#held.push(line);
      keys.push(line.key);
    }
    return keys;
  }

  #isOver(): boolean {
    if (this.#phase === 'open' || this.#ready.length > 0) return false;
    return this.#phase === 'down' || this.#held.length === 0;
  }

  #end(): void {
    if (!this.#isOver()) return;
    this.#drainReleased = true;
    for (const taker of this.#takers.splice(0)) taker.give([]);
  }
}
