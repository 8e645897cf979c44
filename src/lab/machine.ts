import { availableParallelism, cpus, totalmem, type as systemName, release } from 'node:os';

/** What a measurement was made on. No names of hosts or users. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly v8: string;
  readonly sqlite: string;
}

export function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: totalmem() / 2 ** 30,
    system: `${systemName()} ${release()} ${process.arch}`,
    node: process.version,
    v8: process.versions.v8 ?? 'unknown',
    sqlite: process.versions['sqlite'] ?? 'unknown',
  };
}
