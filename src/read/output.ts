import { stringify } from 'yaml';
import { namespaceOf } from '../model/key.ts';
import type { StoredObject } from '../storage/storage.ts';
import { parseExactly, rawNumber } from '../transform/exact-json.ts';
import type { ReadableKind } from './builtin-kinds.ts';
import { parsedBody, textOf } from './catalog.ts';
import { indentJson } from './indent.ts';
import { type Column, TableWriter } from './table.ts';
import type { Tree } from './tree.ts';

export const FORMATS = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type Format = (typeof FORMATS)[number];

/** Writes rows one after the other in one format; nothing is kept but what a table needs for its widths. */
export interface Output {
  /** The rows that follow are of this kind. `columns` is asked at its first row. */
  begin(kind: ReadableKind, columns: (apiVersion: string) => readonly Column[]): void;
  /** `tree` is the parsed body where a selector already needed it. */
  push(row: StoredObject, tree?: Tree): void;
  /** No more rows. */
  end(): void;
}

export function createOutput(options: {
  readonly format: Format;
  readonly write: (text: string) => void;
  /** Whether the answer is a `List`, even with one object or none. */
  readonly isList: boolean;
  readonly withNamespace: boolean;
  readonly withHeaders: boolean;
  /** Whether names are printed as `pod/web-0`: the answer holds several kinds. */
  readonly withKind: boolean;
  readonly nowMs: number;
}): Output {
  switch (options.format) {
    case 'table':
    case 'wide':
      return new TableOutput(options);
    case 'json':
      return options.isList ? new ListOutput(options.write, JSON_LIST) : each((row) => options.write(`${indentJson(textOf(row))}\n`));
    case 'yaml':
      return options.isList ? new ListOutput(options.write, YAML_LIST) : each((row) => options.write(yamlText(row)));
    case 'name':
      return nameOutput(options.write);
    default:
      return options.format satisfies never;
  }
}

function each(push: (row: StoredObject) => void): Output {
  return { begin: () => undefined, push, end: () => undefined };
}

/** `pod/`, `deployment.apps/`. */
function prefixOf(kind: ReadableKind): string {
  return `${kind.kind.toLowerCase()}${kind.group === '' ? '' : `.${kind.group}`}/`;
}

function nameOutput(write: (text: string) => void): Output {
  let prefix = '';
  return {
    begin(kind) {
      prefix = prefixOf(kind);
    },
    push: ({ key }) => write(`${prefix}${key.slice(key.indexOf('/') + 1)}\n`),
    end: () => undefined,
  };
}

class TableOutput implements Output {
  readonly #options: Parameters<typeof createOutput>[0];
  readonly #isWide: boolean;
  #kind: ReadableKind | null = null;
  #columnsFor: (apiVersion: string) => readonly Column[] = () => [];
  #columns: readonly Column[] = [];
  /** Null until the kind has a row. */
  #table: TableWriter | null = null;
  #tables = 0;

  constructor(options: Parameters<typeof createOutput>[0]) {
    this.#options = options;
    this.#isWide = options.format === 'wide';
  }

  begin(kind: ReadableKind, columns: (apiVersion: string) => readonly Column[]): void {
    this.end();
    this.#kind = kind;
    this.#columnsFor = columns;
  }

  push(row: StoredObject, tree: Tree = parsedBody(row)): void {
    const { withKind, nowMs } = this.#options;
    const table = this.#table ?? this.#start(row);
    const context = { nowMs, isWide: this.#isWide };
    const cells = this.#columns.map((column) => {
      const text = column.cell(tree, context);
      return column.title === 'NAME' && withKind && this.#kind !== null ? `${prefixOf(this.#kind)}${text}` : text;
    });
    table.push(this.#showsNamespace() ? [namespaceOf(row.key), ...cells] : cells);
  }

  end(): void {
    this.#table?.end();
    this.#table = null;
  }

  #start(row: StoredObject): TableWriter {
    if (this.#tables++ > 0) this.#options.write('\n');
    this.#columns = this.#columnsFor(row.apiVersion).filter((column) => this.#isWide || !column.isWide);
    const titles = this.#columns.map((column) => column.title);
    this.#table = new TableWriter(this.#options.write);
    if (this.#options.withHeaders) this.#table.push(this.#showsNamespace() ? ['NAMESPACE', ...titles] : titles);
    return this.#table;
  }

  #showsNamespace(): boolean {
    return this.#options.withNamespace && this.#kind?.namespaced === true;
  }
}

interface ListFormat {
  readonly head: string;
  readonly item: (row: StoredObject) => string;
  readonly between: string;
  readonly tail: string;
  readonly empty: string;
}

const JSON_LIST: ListFormat = {
  head: '{\n    "apiVersion": "v1",\n    "items": [\n        ',
  item: (row) => indentJson(textOf(row), ' '.repeat(8)),
  between: ',\n        ',
  tail: '\n    ],\n    "kind": "List",\n    "metadata": {\n        "resourceVersion": ""\n    }\n}\n',
  empty: '{\n    "apiVersion": "v1",\n    "items": [],\n    "kind": "List",\n    "metadata": {\n        "resourceVersion": ""\n    }\n}\n',
};

const YAML_LIST: ListFormat = {
  head: 'apiVersion: v1\nitems:\n',
  item: (row) =>
    `- ${yamlText(row)
      .trimEnd()
      .replace(/\n(?=.)/g, '\n  ')}\n`,
  between: '',
  tail: 'kind: List\nmetadata:\n  resourceVersion: ""\n',
  empty: 'apiVersion: v1\nitems: []\nkind: List\nmetadata:\n  resourceVersion: ""\n',
};

/** A `List` that is written while it is read. */
class ListOutput implements Output {
  readonly #write: (text: string) => void;
  readonly #format: ListFormat;
  #items = 0;

  constructor(write: (text: string) => void, format: ListFormat) {
    this.#write = write;
    this.#format = format;
  }

  begin(): void {}

  push(row: StoredObject): void {
    this.#write(`${this.#items++ === 0 ? this.#format.head : this.#format.between}${this.#format.item(row)}`);
  }

  end(): void {
    this.#write(this.#items === 0 ? this.#format.empty : this.#format.tail);
  }
}

/** Texts that YAML 1.1 would read as something else (`yes`, `0777`, a time) are quoted: kubectl and most tools read 1.1. Integers of any size stay exact. */
function yamlText(row: StoredObject): string {
  return stringify(parseExactly(textOf(row)), plainNumber, { compat: 'yaml-1.1', lineWidth: 0, aliasDuplicateObjects: false, indentSeq: false });
}

function plainNumber(_key: unknown, value: unknown): unknown {
  const raw = rawNumber(value);
  if (raw === undefined) return value;
  return /^-?[0-9]+$/.test(raw) ? BigInt(raw) : Number(raw);
}
