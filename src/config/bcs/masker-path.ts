/** Paths have this many steps that may be a key or an index at the most; more would double the paths with each. */
const MOST_NUMBERS = 4;

/**
 * The paths of ours that mean what a masker's steps meant: each step was the key of a mapping, and a whole number right behind a list was the index of an
 * element that had to be a mapping. Only the data decides which of both a number is, so there is a path for each reading. Empty when the steps never had an effect.
 */
export function maskerPaths(steps: readonly string[]): readonly string[] {
  if (steps.length === 0 || steps.filter((step) => indexOf(step) !== null).length > MOST_NUMBERS) return [];
  let found: readonly { readonly text: string; readonly endsInList: boolean }[] = [{ text: '', endsInList: false }];
  for (const [at, step] of steps.entries()) {
    const index = at === 0 || at === steps.length - 1 ? null : indexOf(step);
    found = found.flatMap(({ text, endsInList }) => [
      { text: text + key(step, text === ''), endsInList: false },
      ...(index === null || endsInList ? [] : [{ text: `${text}[${index}]`, endsInList: true }]),
    ]);
  }
  return found.map(({ text }) => text);
}

function indexOf(step: string): number | null {
  return /^\+?[0-9]{1,9}$/.test(step) ? Number(step) : null;
}

function key(step: string, isFirst: boolean): string {
  if (/^[A-Za-z0-9_$-]+$/.test(step)) return isFirst ? step : `.${step}`;
  return `["${step.replace(/[\\"]/g, '\\$&')}"]`;
}
