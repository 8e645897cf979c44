import { foundText, type KeyPath, pathText, type Problem } from '../problems.ts';
import { didYouMean } from '../suggest.ts';
import type { JsonText } from './json-text.ts';
import type { Note } from './note.ts';

/** What was found while one file was read. */
export interface Findings {
  readonly problems: Problem[];
  readonly notes: Note[];
}

/**
 * Reads one mapping of an old file: every key by its type, and at the end what nobody asked for. Absent, null and empty are the same, and keys are found
 * whatever their case, as the old program had it. A value of a wrong type is a problem, for the old program did not start with it either.
 */
export class OldSection {
  readonly #values: ReadonlyMap<string, { readonly key: string; readonly value: unknown }>;
  readonly #asked: string[] = [];
  readonly #path: KeyPath;
  readonly #json: JsonText;
  readonly #findings: Findings;

  constructor(value: unknown, path: KeyPath, json: JsonText, findings: Findings) {
    this.#path = path;
    this.#json = json;
    this.#findings = findings;
    const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (!isMapping && value !== undefined && value !== null) this.refuse([], 'must be a mapping', value, 'Write it like {"key": "value"}.');
    this.#values = new Map(Object.entries(isMapping ? value : {}).map(([key, child]) => [key.toLowerCase(), { key, value: child }]));
  }

  has(key: string): boolean {
    const value = this.#take(key);
    return value !== undefined && value !== '' && value !== false && value !== 0;
  }

  text(key: string): string {
    const value = this.#take(key) ?? '';
    if (typeof value === 'string') return value.trim();
    this.refuse([key], 'must be a text', value, 'Put it in double quotes.');
    return '';
  }

  flag(key: string): boolean {
    const value = this.#take(key) ?? false;
    if (typeof value === 'boolean') return value;
    this.refuse([key], 'must be true or false', value, 'Write it without quotes.');
    return false;
  }

  integer(key: string, range: { readonly min: number; readonly max: number }): number | null {
    const value = this.#take(key);
    if (value === undefined) return null;
    if (typeof value === 'number' && Number.isInteger(value) && value >= range.min && value <= range.max) return value;
    this.refuse([key], `must be a whole number from ${range.min} to ${range.max}`, value, 'Write it without quotes.');
    return null;
  }

  texts(key: string): readonly string[] {
    const list = this.#list(key);
    for (const [index, item] of list.entries()) {
      if (typeof item !== 'string') this.refuse([key, index], 'must be a text', item, 'Put it in double quotes.');
    }
    return list.filter((item) => typeof item === 'string');
  }

  section(key: string): OldSection {
    return new OldSection(this.#take(key), [...this.#path, key], this.#json, this.#findings);
  }

  sections(key: string): readonly OldSection[] {
    return this.#list(key).map((item, index) => new OldSection(item, [...this.#path, key, index], this.#json, this.#findings));
  }

  /** A mapping of texts whose keys are data. */
  textsByKey(key: string): ReadonlyMap<string, string> {
    const inner = this.section(key);
    return new Map([...inner.#values.values()].map((entry) => [entry.key, inner.text(entry.key)]));
  }

  refuse(path: KeyPath, rule: string, found: unknown, fix: string): void {
    const whole = [...this.#path, ...path];
    const place = this.#json.placeOf(whole);
    this.#findings.problems.push({ origin: place, text: `${pathText(whole)} ${rule}, found ${foundText(whole, found)}. ${fix}` });
  }

  /** Notes every key that was never asked for: the old program ignored it, and so do we. */
  noteUnknown(): void {
    const asked = new Set(this.#asked.map((key) => key.toLowerCase()));
    for (const [name, { key }] of this.#values) {
      if (asked.has(name)) continue;
      const meant = didYouMean(key, this.#asked);
      const text = `bcs-k8s-watch does not know this key and ignored it.${meant === null ? '' : ` Was "${meant}" meant?`}`;
      this.#findings.notes.push({ key: pathText([...this.#path, key]), type: 'lost', text });
    }
  }

  #list(key: string): readonly unknown[] {
    const value = this.#take(key) ?? [];
    if (Array.isArray(value)) return value as readonly unknown[];
    this.refuse([key], 'must be a list', value, 'Write it like ["a", "b"].');
    return [];
  }

  #take(key: string): unknown {
    this.#asked.push(key);
    return this.#values.get(key.toLowerCase())?.value ?? undefined;
  }
}
