import { namespaceOf, type ObjectKey } from '../model/key.ts';
import { Chain, type Link } from './chain.ts';
import type { Ticket } from './ticket.ts';

/** The keys of one priority and one namespace, first in first out. */
export class NamespaceLine implements Link<NamespaceLine> {
  /** What all its keys begin with, up to the slash; of the cluster-scoped ones, which have none, what no key begins with. */
  readonly prefix: string;
  readonly keys = new Chain<Ticket>();
  next: NamespaceLine | null = null;
  prev: NamespaceLine | null = null;

  constructor(namespace: string) {
    this.prefix = `${namespace}/`;
  }
}

const FEWEST_SLOTS = 16;
/** Slots for each line, at the least: with so many, seven lines of eight share theirs with no other. */
const SLOTS_A_LINE = 4;
const SLASH = 47;

/**
 * The lines of one level by namespace. To cut the namespace out of a key, hash that new string and look it up would be a fifth of
 * all that a key costs the queue. So a key is first compared with the line that stands where its namespace has its slot.
 */
export class Lines {
  readonly #byNamespace = new Map<string, NamespaceLine>();
  /** Lines of #byNamespace and no others, each in the slot of its namespace or nowhere. A power of two in length. */
  #slots: (NamespaceLine | undefined)[] = emptySlots(FEWEST_SLOTS);

  get size(): number {
    return this.#byNamespace.size;
  }

  /** The line of the key's namespace, made when absent. */
  of(key: ObjectKey): NamespaceLine {
    const hash = hashOfNamespace(key);
    const likely = this.#slots[hash & (this.#slots.length - 1)];
    if (likely !== undefined && key.startsWith(likely.prefix)) return likely;
    const namespace = namespaceOf(key);
    let line = this.#byNamespace.get(namespace);
    if (line === undefined) {
      line = new NamespaceLine(namespace);
      this.#byNamespace.set(namespace, line);
      if (this.size * SLOTS_A_LINE > this.#slots.length) this.#slots = emptySlots(this.#slots.length * 2);
    }
    this.#slots[hash & (this.#slots.length - 1)] = line;
    return line;
  }

  /** Forgets the lines without keys. */
  prune(): void {
    for (const [namespace, { keys }] of this.#byNamespace) if (keys.first === null) this.#byNamespace.delete(namespace);
    this.#slots = emptySlots(FEWEST_SLOTS);
  }
}

function emptySlots(length: number): (NamespaceLine | undefined)[] {
  return new Array<NamespaceLine | undefined>(length).fill(undefined);
}

/** Of what stands before the slash. Names that collide cost what a look-up costs, and nothing else. */
function hashOfNamespace(key: ObjectKey): number {
  let hash = 0;
  for (let at = 0; at < key.length; at++) {
    const code = key.charCodeAt(at);
    if (code === SLASH) break;
    hash = (Math.imul(hash, 31) + code) | 0;
  }
  return hash ^ (hash >>> 15);
}
