import type { Control, HeldPass, HeldToken, ParkedChoice, ParkedObject, QueuedKey, Refused } from '../model/control.ts';

/** Between the tokens of the shards in that of a pass that is shown as one. */
const JOINED = '+';
const NOTHING_HERE = 'This process writes no shard just now, so there is nothing to decide here: ask the replica that does. kubefold_leader says which.';

/** What people decide over several mirrors of one process, as over one: of each kind one pass is held, and confirmed as a whole. */
export class MergedControl implements Control {
  readonly clusterName: string;
  readonly #parts: () => readonly Control[];

  constructor(clusterName: string, parts: () => readonly Control[]) {
    this.clusterName = clusterName;
    this.#parts = parts;
  }

  held(keys: number): readonly HeldPass[] {
    return [
      ...Map.groupBy(
        this.#parts().flatMap((part) => part.held(keys)),
        ({ kind }) => kind,
      ).values(),
    ].map((passes) => merged(passes, keys));
  }

  queues(keys: number): readonly { readonly kind: string; readonly size: number; readonly keys: readonly QueuedKey[] }[] {
    return [
      ...Map.groupBy(
        this.#parts().flatMap((part) => part.queues(keys)),
        ({ kind }) => kind,
      ),
    ].map(([kind, queues]) => ({
      kind,
      size: queues.reduce((total, { size }) => total + size, 0),
      keys: queues.flatMap((queue) => queue.keys).slice(0, keys),
    }));
  }

  confirm(shown: HeldToken): { readonly released: number } | Refused {
    const holding = this.#parts().flatMap((part) => part.held(0).flatMap((pass) => (pass.kind === shown.kind ? [{ part, pass }] : [])));
    const [first] = this.#parts();
    if (first === undefined) return { refused: NOTHING_HERE };
    const now =
      holding.length === 0
        ? null
        : merged(
            holding.map(({ pass }) => pass),
            0,
          );
    // Any of them knows best what to say to a token that is not that of now.
    if (now === null || now.token !== shown.token || now.count !== shown.count) return (holding[0]?.part ?? first).confirm(shown);
    let released = 0;
    for (const { part, pass } of holding) {
      const answer = part.confirm(pass);
      if ('refused' in answer) return answer;
      released += answer.released;
    }
    return { released };
  }

  async parked(): Promise<readonly ParkedObject[]> {
    return (await Promise.all(this.#parts().map((part) => part.parked()))).flat();
  }

  async retry(choice: ParkedChoice): Promise<{ readonly retried: number } | Refused> {
    const answers = await this.#ask((part) => part.retry(choice));
    return 'refused' in answers ? answers : { retried: answers.reduce((total, { retried }) => total + retried, 0) };
  }

  async drop(choice: ParkedChoice): Promise<{ readonly dropped: number } | Refused> {
    const answers = await this.#ask((part) => part.drop(choice));
    return 'refused' in answers ? answers : { dropped: answers.reduce((total, { dropped }) => total + dropped, 0) };
  }

  /** Of each what it did; a refusal only when all refuse, for one object is parked in one shard. */
  async #ask<T extends object>(ask: (part: Control) => Promise<T | Refused>): Promise<readonly T[] | Refused> {
    const done: T[] = [];
    let refusal: Refused = { refused: NOTHING_HERE };
    for (const part of this.#parts()) {
      const answer = await ask(part);
      if ('refused' in answer) refusal = answer;
      else done.push(answer);
    }
    return done.length > 0 ? done : refusal;
  }
}

function merged(passes: readonly HeldPass[], keys: number): HeldPass {
  const [first] = passes as readonly [HeldPass, ...HeldPass[]];
  if (passes.length === 1) return first;
  const total = (of: (pass: HeldPass) => number): number => passes.reduce((sum, pass) => sum + of(pass), 0);
  return {
    kind: first.kind,
    token: passes.map(({ token }) => token).join(JOINED),
    count: total(({ count }) => count),
    of: total((pass) => pass.of),
    since: Math.min(...passes.map(({ since }) => since)),
    why: [...new Set(passes.map(({ why }) => why))].join('; '),
    keys: passes.flatMap((pass) => pass.keys).slice(0, keys),
  };
}
