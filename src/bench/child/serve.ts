import { createInterface } from 'node:readline';

/** Prints one JSON line for the benchmark that started this process. */
export function tell(line: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Does what it is told, one line at a time; ends the process when the benchmark closes our input, which also comes when it dies. */
export function obey(words: Readonly<Record<string, () => void>>): void {
  createInterface(process.stdin)
    .on('line', (word) => words[word]?.())
    .once('close', () => process.exit(0));
}

/** The one argument: what to do, as JSON. */
export function optionsOf<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}
