import type { Report } from './report.ts';

/** What every benchmark is handed. */
export interface BenchContext {
  /** How often the contestants run in turn. */
  readonly rounds: number;
  /** Instead of the benchmark's own number of pods; null for that. */
  readonly pods: number | null;
  /** Instead of the benchmark's own number of events; null for that. */
  readonly events: number | null;
  /** So small and short that it only shows that the benchmark works. */
  readonly quick: boolean;
  /** One of the benchmark's own groups of cases, by name; null for all. */
  readonly only: string | null;
  /** Folder of the two peer programs; null when none was named. */
  readonly peers: string | null;
  /** The program as it is published: a file below `src/`, named without its suffix, compiled. */
  readonly program: (name: string) => string;
  /** An empty folder of this run, removed at its end. */
  readonly folder: string;
  /** Says what is under way, on standard error. */
  readonly say: (text: string) => void;
}

export interface Bench {
  /** Null when it printed its own answer. */
  run(context: BenchContext): Promise<Report | null>;
}
