import { type Problem, report } from '../problems.ts';
import { type JsonText, readJson } from './json-text.ts';
import { listed, type Note } from './note.ts';
import { type OldFilter, readOldConfig, readOldFilter } from './old-files.ts';
import type { Findings } from './reader.ts';
import { resourceRules } from './resource-rules.ts';
import { settings } from './settings.ts';
import { commentLines, entryLines, itemsLines } from './yaml-text.ts';

/** One of the two old files. `name` is for messages. */
export interface OldFile {
  readonly name: string;
  readonly text: string;
}

/** What is made of the two files of bcs-k8s-watch. */
export interface Imported {
  /** A configuration of kubefold that mirrors the same, with everything said in comments. It always passes `config check`. */
  readonly yaml: string;
  /** What was not carried over, and what means more or less than it did, each once. */
  readonly notes: readonly Note[];
  /** `k8s.kubeconfig` and `k8s.master`, `''` when absent: options of the command line with us. */
  readonly kubeconfig: string;
  readonly master: string;
}

const OLD_KEYS = ['custom-storage-endpoints', 'filterConfigPath', 'clusterID', 'watch_resource', 'podQueueNum'];

/** Whether a configuration is one of bcs-k8s-watch: JSON, also when it is broken, with keys that only that program has. */
export function isOldConfig(text: string): boolean {
  return /^\uFEFF?\s*\{/.test(text) && OLD_KEYS.some((key) => new RegExp(`"${key}"\\s*:`, 'i').test(text));
}

/** The filter file that the configuration names, `''` for none. Throws UsageError when the file cannot be read. */
export function filterPathOf(main: OldFile): string {
  return readFile(main, readOldConfig, []).filterConfigPath;
}

/**
 * Converts the two files. `given` are options of the command line that stand for a key of theirs. Throws one UsageError that lists every
 * problem of a file: what the old program would have failed with, or written nothing.
 */
export function importBcs(
  main: OldFile,
  filter: OldFile,
  given: { readonly storage: boolean; readonly clusterName: boolean } = { storage: false, clusterName: false },
): Imported {
  const notes: Note[] = [];
  const config = readFile(main, readOldConfig, notes);
  const chosen = readFile(filter, readOldFilter, notes);
  const json = parse(main);
  const problems: Problem[] = [];
  const refuse = (key: string, rule: string, found: string, fix: string): void =>
    void problems.push({ origin: json.placeOf(key.split('.')), text: `${key} ${rule}, found ${found}. ${fix}` });
  const entries = settings(config, given, notes, refuse);
  const rules = resourceRules(config, chosen, notes, refuse);
  if (problems.length > 0) throw report(main.name, problems);
  noteFilter(chosen, notes);
  const lines = [
    ...commentLines(
      `Made from ${main.name} and ${filter.name} of bcs-k8s-watch by kubefold config import-bcs. It mirrors the same objects into the same documents.`,
    ),
    ...noteLines('Not carried over, and why:', notes, 'lost'),
    ...noteLines('Carried over, and not quite the same:', notes, 'differs'),
    ...entries.flatMap((entry) => ['', ...entryLines(entry)]),
    '',
    ...itemsLines({
      comment: 'The first rule whose kinds match decides alone.',
      key: 'resources',
      items: rules.map(({ comment, rule }) => ({ comment, value: rule })),
    }),
  ];
  return { yaml: `${lines.join('\n')}\n`, notes, kubeconfig: config.kubeconfig, master: config.kubeconfig === '' ? config.master : '' };
}

function noteFilter(filter: OldFilter, notes: Note[]): void {
  if (filter.keepsManagedFields)
    notes.push({
      key: 'isFilterManagedFields',
      type: 'lost',
      text: 'true keeps metadata.managedFields (the name is the wrong way round); kubefold always cuts them: they change with every write and say nothing to readers.',
    });
  if (filter.present.size > 0)
    notes.push({
      key: listed([...filter.present]),
      type: 'lost',
      text: 'it was for a discovery that fails; kubefold keeps what it has discovered, asks again, and reads CRDs of any version.',
    });
}

function noteLines(heading: string, notes: readonly Note[], type: Note['type']): readonly string[] {
  const own = notes.filter((note) => note.type === type);
  if (own.length === 0) return [];
  return ['#', `# ${heading}`, ...own.flatMap(({ key, text }) => commentLines(`${key}: ${text}`, '', '# - ', '#   '))];
}

function readFile<Old>(file: OldFile, readOld: (json: JsonText, findings: Findings) => Old, notes: Note[]): Old {
  const problems: Problem[] = [];
  const old = readOld(parse(file), { problems, notes });
  if (problems.length > 0) throw report(file.name, problems);
  return old;
}

function parse(file: OldFile): JsonText {
  const json = readJson(file.text);
  if ('problem' in json) throw report(file.name, [json.problem]);
  return json;
}
