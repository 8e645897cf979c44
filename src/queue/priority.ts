import { Chain } from './chain.ts';
import { Lines, type NamespaceLine } from './lines.ts';
import type { Priority } from './queue.ts';
import type { Ticket } from './ticket.ts';

/**
 * While several levels have keys, of any 8 takes in a row at least one comes from the lowest of them (PQ-S11), and one
 * more, when there are levels in between, from the one of those that has waited longest. So live load keeps at least
 * three quarters of the takes, and no level starves. SPEC.md derives the bounds.
 */
export const LOWEST_EVERY = 8;
/** Which of those takes is for the levels in between. */
const MIDDLE_TURN = LOWEST_EVERY / 2;
/** Empty lines and levels are kept for their next key, as long as they are few; making them anew costs more than a key. */
const IDLE_LINES = 64;
const IDLE_LEVELS = 16;

/**
 * The order of the keys that may be taken now: larger priority first within the bound above, namespaces in turn inside
 * a level, first in first out inside a namespace (PQ-S1, PQ-S11). Knows nothing of time: who becomes ready is pushed then (PQ-S4).
 */
export class ReadyOrder {
  /** Largest priority first; some may be empty. The same levels as in #byPriority. */
  #levels: Level[] = [];
  readonly #byPriority = new Map<Priority, Level>();
  /** Sum of the sizes of #levels. */
  #size = 0;
  /** Takes so far: the time by which levels in between measure their wait. */
  #takes = 0;
  /** Takes since the lowest level was last served while a higher one had keys; < LOWEST_EVERY. */
  #turn = 0;

  get size(): number {
    return this.#size;
  }

  /** Ready keys by priority, largest first, without empty levels. */
  sizes(): readonly (readonly [Priority, number])[] {
    return this.#levels.filter((level) => level.size > 0).map((level) => [level.priority, level.size] as const);
  }

  /** Lines `ticket` up at the end of its namespace's line in the level of `ticket.priority`. */
  push(ticket: Ticket): void {
    const level = this.#byPriority.get(ticket.priority) ?? this.#makeLevel(ticket.priority);
    if (level.size === 0) level.servedAt = this.#takes;
    level.push(ticket);
    this.#size++;
  }

  /** Takes a lined-up ticket out, wherever it stands: to raise it, remove, change its priority and push (PQ-S3). */
  remove(ticket: Ticket): void {
    this.#byPriority.get(ticket.priority)?.remove(ticket);
    this.#size--;
  }

  /** The next key, or null when there is none. */
  shift(): Ticket | null {
    const level = this.#choose();
    if (level === null) return null;
    level.servedAt = ++this.#takes;
    this.#size--;
    return level.shift();
  }

  #choose(): Level | null {
    const highest = this.#levels.find(hasKeys);
    if (highest === undefined) return null;
    if (highest.size === this.#size) {
      this.#turn = 0;
      return highest;
    }
    this.#turn = (this.#turn + 1) % LOWEST_EVERY;
    if (this.#turn !== 0 && this.#turn !== MIDDLE_TURN) return highest;
    const lowest = this.#levels.findLast(hasKeys) ?? highest;
    if (this.#turn === 0) return lowest;
    let longest = highest;
    for (const level of this.#levels) {
      const isBetween = level.size > 0 && level !== highest && level !== lowest;
      if (isBetween && (longest === highest || level.servedAt < longest.servedAt)) longest = level;
    }
    return longest;
  }

  #makeLevel(priority: Priority): Level {
    const kept = this.#levels.filter(hasKeys);
    if (this.#levels.length - kept.length >= IDLE_LEVELS) {
      for (const level of this.#levels) if (level.size === 0) this.#byPriority.delete(level.priority);
      this.#levels = kept;
    }
    const level = new Level(priority);
    const lower = this.#levels.findIndex((other) => other.priority < priority);
    this.#levels.splice(lower === -1 ? this.#levels.length : lower, 0, level);
    this.#byPriority.set(priority, level);
    return level;
  }
}

function hasKeys(level: Level): boolean {
  return level.size > 0;
}

/** The keys of one priority. Namespaces take turns: however many keys one has, another's first key waits for one take of each. */
class Level {
  readonly priority: Priority;
  size = 0;
  /** Number of the last take from here, or of the moment it got its first key. */
  servedAt = 0;
  /** Every line of this level, also empty ones, of which there are at most #active + IDLE_LINES. */
  readonly #lines = new Lines();
  /** The lines that have keys, in the order of their turns. A served line goes to the end; so does one that gets its first key. */
  readonly #turns = new Chain<NamespaceLine>();
  /** Number of lines in #turns. */
  #active = 0;

  constructor(priority: Priority) {
    this.priority = priority;
  }

  push(ticket: Ticket): void {
    const line = this.#lines.of(ticket.key);
    if (line.keys.first === null) {
      this.#turns.push(line);
      this.#active++;
    }
    line.keys.push(ticket);
    this.size++;
  }

  shift(): Ticket | null {
    const line = this.#turns.shift();
    if (line === null) return null;
    const ticket = line.keys.shift();
    this.size--;
    if (line.keys.first !== null) this.#turns.push(line);
    else this.#emptied();
    return ticket;
  }

  remove(ticket: Ticket): void {
    const line = this.#lines.of(ticket.key);
    line.keys.remove(ticket);
    this.size--;
    if (line.keys.first !== null) return;
    this.#turns.remove(line);
    this.#emptied();
  }

  #emptied(): void {
    this.#active--;
    if (this.#lines.size > 2 * this.#active + IDLE_LINES) this.#lines.prune();
  }
}
