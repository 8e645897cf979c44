import { matchesGlob, posix } from 'node:path';
import { parseAst } from 'vitest/node';

/*
 * The floors of the house (design.md section 1) as data, and the rules about them as a pure function over source text. A file imports only from
 * earlier storeys of this table, or from its own room on its own storey; type-only imports count, for a type is a dependency of the reader too.
 */

/** One step of the stairs. Storeys of one floor are ordered as well: what a later one may see is read off the table. */
export interface Storey {
  readonly floor: 0 | 1 | 2 | 3 | 4 | 5;
  /** What lives here, for messages. */
  readonly name: string;
  /** Globs below `src/`. A file belongs to the first storey that matches. */
  readonly files: readonly string[];
  /** Whether files here must stay free of clocks, sockets, files and logs: they receive `now` and say what to do. */
  readonly isPure: boolean;
}

/** In mixed rooms the shells are named and everything else is a core: a new file has to be pure until somebody writes its name here. */
export const SHELLS_OF_MIXED_ROOMS = [
  'config/secret-key.ts',
  'config/watch-file.ts',
  'reflector/shell.ts',
  'queue/work-queue.ts',
  'queue/strategies/line.ts',
  'queue/strategies/parallel.ts',
  'queue/strategies/partitioned.ts',
  'queue/strategies/serial.ts',
  'worker/gate.ts',
  'worker/pool-options.ts',
  'worker/pool.ts',
  'worker/refill.ts',
] as const;

export const STOREYS: readonly Storey[] = [
  { floor: 0, name: 'words', files: ['model/**'], isPure: true },
  { floor: 0, name: 'kit', files: ['kit/**'], isPure: false },
  { floor: 0, name: 'bytes', files: ['json/**'], isPure: true },
  {
    floor: 1,
    name: 'contracts',
    files: ['queue/queue.ts', 'storage/storage.ts', 'cluster/cluster.ts', 'limit/limit.ts', 'reflector/reflector.ts'],
    isPure: true,
  },
  // Says what it hands on in the words of storage.
  { floor: 1, name: 'contracts on contracts', files: ['queue/strategy.ts'], isPure: true },
  // The small languages in which rules are written. Configuration must know them to refuse what they cannot read.
  { floor: 2, name: 'languages', files: ['transform/exact-json.ts', 'transform/paths.ts', 'read/selectors.ts'], isPure: true },
  { floor: 2, name: 'configuration', files: ['config/**'], isPure: true },
  {
    floor: 2,
    name: 'cores',
    files: [
      ...['reflector/**', 'queue/**', 'cache/**', 'transform/**', 'audit/diff.ts', 'lease/{elector,record,roster,shares}.ts'],
      'storage/{around,key-order,merged-records,sharded}.ts',
      'web/access-cache.ts',
      'storage/bcs/{documents,endpoints,envelope,routes,settle,spans,type-names}.ts',
      'bcsstorage/{condition,documents,envelope,event-body,event-query,json-value,label-selector,multicluster-query,paths,put-body,query,schema,typed-queries,watch-frames}.ts',
      'read/{age,builtin-kinds,cells,columns,custom,fields,freshness,history,indent,json-path,kind-names,pods,table,tree}.ts',
    ],
    isPure: true,
  },
  // What happens in a cluster, as numbers and times: the laboratory and the hollow server both play it.
  { floor: 2, name: 'loads', files: ['lab/load/**'], isPure: true },
  // Decides from what the cache holds, so it stands on the cache.
  { floor: 2, name: 'decisions', files: ['worker/**', 'audit/judge.ts', 'netservice/answer.ts', 'netservice/registered.ts'], isPure: true },
  {
    floor: 3,
    name: 'shells',
    files: [
      ...SHELLS_OF_MIXED_ROOMS,
      'cluster/**',
      'limit/**',
      'storage/{memory,null,sqlite,postgres,bcs}/**',
      'audit/**',
      'read/**',
      'web/**',
      'hollow/!(main).ts',
      'bcsstorage/!(main).ts',
      'lease/**',
      'netservice/**',
    ],
    isPure: false,
  },
  { floor: 4, name: 'wiring of one mirror', files: ['storage/open.ts', 'mirror/**'], isPure: false },
  { floor: 4, name: 'wiring of the program', files: ['app.ts', 'app-metrics.ts'], isPure: false },
  { floor: 4, name: 'benchmarks and simulation', files: ['bench/**', 'sim/**'], isPure: false },
  // Runs the product's parts beside other designs on the clock of the simulation.
  { floor: 4, name: 'laboratory', files: ['lab/**'], isPure: false },
  { floor: 5, name: 'commands', files: ['commands/**', 'hollow/main.ts', 'bcsstorage/main.ts'], isPure: false },
  { floor: 5, name: 'entry', files: ['main.ts'], isPure: false },
];

/** Files that are longer than LONGEST_FILE, each with the reason why no pure part is hiding inside. */
export const EXPLAINED_LONG_FILES: Readonly<Record<string, string>> = {
  'cache/object-cache.ts': 'one class: what it means to see, miss, take and settle an object; each operation keeps all of its invariants',
  'sim/ledger.ts': 'the books of what is durable and the invariants over them, which would have to hand every key of them to each other',
  'sim/simulation.ts': 'one line of thought: what a step does, how a run comes to rest, and what must hold then',
};
export const LONGEST_FILE = 350;

/** Node's own modules that only compute. Every other one is IO or time. */
const COMPUTING_MODULES = ['node:assert', 'node:buffer', 'node:crypto', 'node:path', 'node:string_decoder', 'node:util'];
/** Packages that only compute. */
const COMPUTING_PACKAGES = ['lru-cache', 'picomatch', 'valibot', '@valibot/to-json-schema', 'yaml'];
/** Our own files that a core may not run: types of them are fine (a core may describe a Clock, it may not have one made). */
const KEPT_FROM_CORES = ['kit/clock.ts', 'kit/log.ts'];

/** Reads of time and chance. Text inside a string does not count: the status page's own script runs in a browser. */
const TIME_OR_CHANCE = ['Date.now', 'Math.random', 'performance.now', 'setTimeout', 'setInterval', 'new Date()'];

export interface SourceFile {
  /** Below `src/`, with slashes. */
  readonly path: string;
  readonly code: string;
}

interface Import {
  /** Below `src/` for our own files (it may begin with `../`), else the package's name as written. */
  readonly target: string;
  readonly isOwn: boolean;
  readonly isTypeOnly: boolean;
}

interface Module extends SourceFile {
  readonly imports: readonly Import[];
  /** It says nothing of its own. */
  readonly isBarrel: boolean;
  /** Which of TIME_OR_CHANCE stand in its code. */
  readonly reads: readonly string[];
}

/** Everything wrong with a source tree, as sentences; empty when it stands. */
export function checkFloors(files: readonly SourceFile[], storeys: readonly Storey[] = STOREYS): readonly string[] {
  const known = new Set(files.map((file) => file.path));
  const modules = files.map(read);
  return [
    ...modules.flatMap((module) => [...checkPlace(module, storeys), ...checkText(module)]),
    ...modules.flatMap((module) => module.imports.flatMap((found) => checkImport({ module, found, known, storeys }))),
    ...cycles(modules),
  ];
}

/** Index into `storeys`, or -1. The named shells of mixed rooms come before their rooms' cores. */
export function storeyOf(path: string, storeys: readonly Storey[] = STOREYS): number {
  const isNamed = (storey: Storey): boolean => storey.files.includes(path);
  const named = storeys.findIndex(isNamed);
  return named !== -1 ? named : storeys.findIndex((storey) => storey.files.some((glob) => matchesGlob(path, glob)));
}

function checkPlace(module: Module, storeys: readonly Storey[]): readonly string[] {
  return storeyOf(module.path, storeys) === -1
    ? [`${module.path} is in no known room. Put it into one of the rooms of design.md section 1, or add the room to test/lint/floors.ts with its floor`]
    : [];
}

function checkText({ path, code, isBarrel, reads }: Module): readonly string[] {
  const wrong: string[] = [];
  const lines = code.split('\n').length - (code.endsWith('\n') ? 1 : 0);
  const explained = path in EXPLAINED_LONG_FILES;
  if (lines > LONGEST_FILE && !explained)
    wrong.push(`${path} has ${lines} lines, the bound is ${LONGEST_FILE}: take the pure part out, or explain it in EXPLAINED_LONG_FILES`);
  if (lines <= LONGEST_FILE && explained) wrong.push(`${path} is explained as long but has only ${lines} lines: take it off EXPLAINED_LONG_FILES`);
  if (isBarrel || posix.basename(path) === 'index.ts') wrong.push(`${path} is a barrel file: import the file that owns the thing instead`);
  if (!path.startsWith('kit/')) wrong.push(...reads.map((name) => `${path} uses ${name}: take a Clock or a Random from src/kit`));
  return wrong;
}

function checkImport(parts: {
  readonly module: Module;
  readonly found: Import;
  readonly known: ReadonlySet<string>;
  readonly storeys: readonly Storey[];
}): readonly string[] {
  const { module, found, known, storeys } = parts;
  const from = storeys[storeyOf(module.path, storeys)];
  if (from === undefined) return [];
  if (!found.isOwn) {
    const isAllowed = !from.isPure || found.isTypeOnly || (found.target.startsWith('node:') ? COMPUTING_MODULES : COMPUTING_PACKAGES).includes(found.target);
    return isAllowed ? [] : [`${module.path} is pure (${from.name}) but imports ${found.target}: move the IO into its room's shell and hand the result in`];
  }
  if (!known.has(found.target)) return [`${module.path} imports ${found.target}, which is not a file of src/`];
  const wrong: string[] = [];
  const to = storeys[storeyOf(found.target, storeys)];
  if (from.isPure && !found.isTypeOnly && KEPT_FROM_CORES.includes(found.target))
    wrong.push(`${module.path} is pure (${from.name}) but imports ${found.target}: take \`now\` as an argument, and return what to say`);
  if (to === undefined || to === from ? roomOf(module.path) !== roomOf(found.target) : storeys.indexOf(to) > storeys.indexOf(from)) {
    wrong.push(
      `${module.path} (floor ${from.floor}, ${from.name}) imports ${found.target} (floor ${to?.floor ?? '?'}, ${to?.name ?? 'no room'}): ` +
        'a file imports only downwards, and never another room of its own storey; hand it in through a contract',
    );
  }
  return wrong;
}

/** The first part of the path; a file at the top of `src/` is a room of its own. */
function roomOf(path: string): string {
  return path.split('/', 1)[0] ?? path;
}

/** Every ring of imports, once, as `a → b → a`. */
function cycles(modules: readonly Module[]): readonly string[] {
  const next = new Map(modules.map((module) => [module.path, module.imports.filter((found) => found.isOwn).map((found) => found.target)]));
  const done = new Set<string>();
  const wrong: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start !== -1) {
      wrong.push(`there is a ring of imports: ${[...trail.slice(start), path].join(' → ')}`);
      return;
    }
    if (done.has(path)) return;
    for (const target of next.get(path) ?? []) walk(target, [...trail, path]);
    done.add(path);
  };
  for (const { path } of modules) walk(path, []);
  return wrong;
}

/** A node of the syntax tree, as far as it matters here. */
type Node = { readonly type?: unknown } & Readonly<Record<string, unknown>>;

function read(file: SourceFile): Module {
  const program = parseAst(file.code, { lang: 'ts' }) as unknown as Node & { readonly body: readonly Node[] };
  const imports: Import[] = [];
  const add = (source: unknown, isTypeOnly: boolean): void => {
    const name = (source as { readonly value?: unknown } | null)?.value;
    if (typeof name !== 'string') return;
    const isOwn = name.startsWith('.');
    imports.push({ target: isOwn ? posix.join(posix.dirname(file.path), name) : name, isOwn, isTypeOnly });
  };
  const reads = new Set<string>();
  visit(program, (node) => {
    const name = readsTimeOrChance(node);
    if (name !== null) reads.add(name);
    switch (node.type) {
      case 'ImportDeclaration':
        add(node['source'], node['importKind'] === 'type' || areAllTypes(node['specifiers'], 'importKind'));
        break;
      case 'ExportNamedDeclaration':
      case 'ExportAllDeclaration':
        add(node['source'], node['exportKind'] === 'type' || areAllTypes(node['specifiers'], 'exportKind'));
        break;
      case 'ImportExpression':
        add(node['source'], false);
        break;
      case 'TSImportType':
        add(node['source'], true);
        break;
    }
  });
  const own = program.body.filter((node) => !isPassingOn(node));
  return { ...file, imports, isBarrel: program.body.length > 0 && own.length === 0, reads: [...reads] };
}

/** Imports, and exports of what others own. */
function isPassingOn(node: Node): boolean {
  return node.type === 'ImportDeclaration' || node.type === 'ExportAllDeclaration' || (node.type === 'ExportNamedDeclaration' && node['declaration'] === null);
}

function areAllTypes(specifiers: unknown, field: 'importKind' | 'exportKind'): boolean {
  return Array.isArray(specifiers) && specifiers.length > 0 && specifiers.every((one: Node) => one[field] === 'type');
}

function visit(node: unknown, meet: (node: Node) => void): void {
  if (Array.isArray(node)) {
    for (const one of node) visit(one, meet);
  } else if (typeof node === 'object' && node !== null) {
    if (typeof (node as Node).type === 'string') meet(node as Node);
    for (const value of Object.values(node)) visit(value, meet);
  }
}

function readsTimeOrChance(node: Node): string | null {
  const nameOf = (part: unknown): unknown => (part as Node | null)?.['name'];
  let name: unknown = null;
  if (node.type === 'MemberExpression') name = `${nameOf(node['object'])}.${nameOf(node['property'])}`;
  else if (node.type === 'NewExpression' && Array.isArray(node['arguments']))
    name = `new ${nameOf(node['callee'])}(${node['arguments'].length > 0 ? '…' : ''})`;
  else if (node.type === 'Identifier') name = node['name'];
  return TIME_OR_CHANCE.find((known) => known === name) ?? null;
}
