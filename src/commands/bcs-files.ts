import { dirname, isAbsolute, join } from 'node:path';
import { filterPathOf, importBcs, type Imported, isOldConfig, type OldFile } from '../config/bcs/import.ts';
import { readConfigFile } from '../config/watch-file.ts';
import { UsageError } from '../model/errors.ts';

/** How a filter file is named: by an option of `run`, or as an argument of `config import-bcs`. */
type WayOut = '--filter FILE' | 'a second argument';

/** A configuration file as text of ours, whatever program it was written for. */
export interface ReadConfiguration {
  readonly text: string;
  /** What was made of the files of bcs-k8s-watch; null when the file is one of ours. */
  readonly imported: Imported | null;
}

/** Reads a configuration; one of bcs-k8s-watch is converted, with its filter file. Throws UsageError. */
export async function readConfiguration(
  path: string,
  filterPath: string | undefined,
  given: { readonly storage: boolean; readonly clusterName: boolean },
): Promise<ReadConfiguration> {
  const text = await readConfigFile(path);
  if (!isOldConfig(text)) {
    if (filterPath !== undefined)
      throw new UsageError(
        `--filter belongs to a configuration of bcs-k8s-watch, and ${path} is none: leave it out, or name bcs-k8s-watch.json with --config.`,
      );
    return { text, imported: null };
  }
  const main = { name: path, text };
  const imported = importBcs(main, await readFilter(main, filterPath, '--filter FILE'), given);
  return { text: imported.yaml, imported };
}

/** Reads and converts the two files. Throws UsageError. */
export async function importFiles(path: string, filterPath: string | undefined): Promise<Imported> {
  const main = { name: path, text: await readConfigFile(path, { name: path, fix: 'Name a readable bcs-k8s-watch.json.' }) };
  return importBcs(main, await readFilter(main, filterPath, 'a second argument'));
}

/** The filter file that was named, else the one that the configuration names: from where we are, or from where the configuration is. */
async function readFilter(main: OldFile, named: string | undefined, way: WayOut): Promise<OldFile> {
  const words = (path: string, by: string): { readonly name: string; readonly fix: string } => ({
    name: `the filter file ${path}${by}`,
    fix: `Name a readable filter.json with ${way}.`,
  });
  if (named !== undefined) return { name: named, text: await readConfigFile(named, words(named, '')) };
  const path = filterPathOf(main);
  if (path === '') {
    throw new UsageError(
      `${main.name} names no filter file (filterConfigPath), and without one bcs-k8s-watch watched nothing and crashed. Name filter.json with ${way}.`,
    );
  }
  const by = ` (filterConfigPath of ${main.name})`;
  try {
    return { name: path, text: await readConfigFile(path, words(path, by)) };
  } catch (cause) {
    if (isAbsolute(path)) throw cause;
    const beside = join(dirname(main.name), path);
    return { name: beside, text: await readConfigFile(beside, words(beside, by)) };
  }
}
