import { getHeapStatistics, setFlagsFromString } from 'node:v8';
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

/** Heap and buffers of this thread in use, in bytes. Of V8 itself: process.memoryUsage() also asks the system how much is resident, at twenty times the price. */
export function memoryInUse(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}
