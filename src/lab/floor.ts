import { nameOf } from './target/target.ts';
import { Agenda } from './load/agenda.ts';
import type { Load, LoadChange } from './load/load.ts';

/** What arithmetic says of a load and so many writers of one write each: when its rows can be right, in milliseconds after the burst. */
export interface Floor {
  /**
   * Nobody ends sooner, not even who knows the future: every object that ends otherwise than it began is written once, after its last change, and the writers
   * have nothing else to do.
   */
  readonly leastMs: number;
  /** A perfect folder ends then: who waits longest is first, what is written is the newest state, no writer idles while anybody waits, and nothing costs anything. */
  readonly foldedMs: number;
}

/** How many writers, and how long each is busy with a write. */
export interface Writers {
  readonly writers: number;
  readonly latencyMs: number;
}

/** Both floors of a load. Pure: no clock, no randomness but the load's own. */
export function floorOf(load: Load, { writers, latencyMs }: Writers): Floor {
  const changes = [...load.changes()].map((change) => ({ ...change, name: nameOf(change.kind, change.key) }));
  const writeMs = ({ key }: Named): number =>
    load.troubles.reduce((ms, trouble) => (trouble.type === 'slow-key' && trouble.key === key ? ms + trouble.ms : ms), latencyMs);
  const isStored = storedAmong(load, changes);
  const parts = { load, changes, writers, writeMs, isStored };
  return { leastMs: leastMs(parts), foldedMs: foldedMs(parts) };
}

type Named = LoadChange & { readonly name: string };

interface Parts {
  readonly load: Load;
  readonly changes: readonly Named[];
  readonly writers: number;
  readonly writeMs: (change: Named) => number;
  /** Whether storage holds an object of that name before the load. */
  readonly isStored: (name: string) => boolean;
}

/** Only deletions ask for it: looking at all that exists before a load takes longer than the load. */
function storedAmong(load: Load, changes: readonly Named[]): (name: string) => boolean {
  const deleted = new Set(changes.filter(({ type }) => type === 'delete').map(({ name }) => name));
  if (deleted.size === 0) return () => true;
  const stored = new Set<string>();
  for (const { kind, key } of load.initial()) {
    const name = nameOf(kind, key);
    if (deleted.has(name)) stored.add(name);
  }
  return (name) => stored.has(name);
}

/** The end of an outage that is on at that time, else the time itself. */
function openAt(load: Load, atMs: number): number {
  return load.troubles.reduce((at, trouble) => (trouble.type === 'fails' && at >= trouble.fromMs && at < trouble.toMs ? trouble.toMs : at), atMs);
}

/** Last states in the order of their changes, each by the writer that is free first: no order of equal jobs ends sooner. */
function leastMs({ load, changes, writers, writeMs, isStored }: Parts): number {
  const last = new Map<string, Named>();
  for (const change of changes) {
    last.delete(change.name);
    last.set(change.name, change);
  }
  const free = new Agenda<null>();
  for (let writer = 0; writer < writers; writer++) free.put(0, null);
  let endMs = 0;
  for (const change of last.values()) {
    if (change.type === 'delete' && !isStored(change.name)) continue;
    const beginsMs = openAt(load, Math.max(change.atMs, free.take()?.atMs ?? 0));
    const endsMs = beginsMs + writeMs(change);
    free.put(endsMs, null);
    endMs = Math.max(endMs, endsMs);
  }
  return Math.max(0, endMs - load.durationMs);
}

/** An object that changed. It is in line, in one writer's hands, or as storage has it. */
interface Subject {
  newest: Named;
  isStored: boolean;
  isInLine: boolean;
  isInHand: boolean;
  hasChanged: boolean;
}

function foldedMs({ load, changes, writers, writeMs, isStored }: Parts): number {
  const subjects = new Map<string, Subject>();
  const line: Subject[] = [];
  let first = 0;
  let free = writers;
  let endMs = 0;
  /** Ends of writes; null is the end of an outage, when whoever waits may begin. */
  const ends = new Agenda<{ readonly subject: Subject; readonly wrote: Named } | null>();
  for (const trouble of load.troubles) if (trouble.type === 'fails') ends.put(trouble.toMs, null);
  const lineUp = (subject: Subject): void => {
    if (!subject.isInLine && !subject.isInHand) {
      subject.isInLine = true;
      line.push(subject);
    }
  };
  const begin = (nowMs: number): void => {
    for (; free > 0 && first < line.length && openAt(load, nowMs) === nowMs; first++) {
      const subject = line[first] as Subject;
      subject.isInLine = false;
      subject.hasChanged = false;
      // It came and went before anybody wrote it.
      if (subject.newest.type === 'delete' && !subject.isStored) continue;
      subject.isInHand = true;
      free--;
      ends.put(nowMs + writeMs(subject.newest), { subject, wrote: subject.newest });
    }
  };
  const endUntil = (untilMs: number): void => {
    while (ends.nextAt <= untilMs) {
      const ended = ends.take();
      if (ended === undefined) break;
      if (ended.item !== null) {
        const { subject, wrote } = ended.item;
        free++;
        endMs = ended.atMs;
        subject.isInHand = false;
        subject.isStored = wrote.type === 'put';
        if (subject.hasChanged) lineUp(subject);
      }
      begin(ended.atMs);
    }
  };
  for (const change of changes) {
    endUntil(change.atMs);
    let subject = subjects.get(change.name);
    if (subject === undefined) {
      subject = { newest: change, isStored: isStored(change.name), isInLine: false, isInHand: false, hasChanged: false };
      subjects.set(change.name, subject);
    }
    subject.newest = change;
    subject.hasChanged = true;
    lineUp(subject);
    begin(change.atMs);
  }
  endUntil(Number.POSITIVE_INFINITY);
  return Math.max(0, endMs - load.durationMs);
}
