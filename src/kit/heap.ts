import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let run: (() => void) | undefined;

/** Collects garbage, all of it, so that what one measurement leaves behind does not weigh in the next. */
export function collectGarbage(): void {
  if (run === undefined) {
    setFlagsFromString('--expose-gc');
    run = runInNewContext('gc') as () => void;
  }
  // What finalizers let go of is collected by the second.
  run();
  run();
}

/** Heap and buffers in use, in bytes. */
export function memoryInUse(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
