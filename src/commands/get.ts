import { didYouMean } from '../config/suggest.ts';
import { type Clock, systemClock } from '../kit/clock.ts';
import { UsageError } from '../model/errors.ts';
import { nameOf, objectKey } from '../model/key.ts';
import { kindId } from '../model/kind.ts';
import type { ReadableKind } from '../read/builtin-kinds.ts';
import { Catalog, parsedBody, storedRows } from '../read/catalog.ts';
import { fieldMatcher } from '../read/fields.ts';
import { freshnessOf } from '../read/freshness.ts';
import { storedText } from '../read/kind-names.ts';
import { createOutput, FORMATS, type Format, type Output } from '../read/output.ts';
import { parseLabelSelector, SelectorError } from '../read/selectors.ts';
import { mapAt, type Tree } from '../read/tree.ts';
import { openReader } from '../storage/open.ts';
import type { ScopeRecord, StorageReader, StoredObject } from '../storage/storage.ts';
import type { Command, CommandContext, Parsed } from './command.ts';
import { MIRROR_OPTIONS, readConfig } from './session.ts';

const MOST_NAMES = 1000;

export const get: Command = createGet(systemClock);

/** `clock` decides how old things are said to be. */
export function createGet(clock: Clock): Command {
  return {
    name: 'get',
    summary: 'Reads the copy like kubectl get.',
    usage: 'KIND[,KIND...] [NAME...]',
    description: `
Reads what is durable, beside a running mirror or without one, and asks no cluster.

  kubefold get pods                        pods of the namespace default
  kubefold get po,svc -n shop -o wide      several kinds; short names as in kubectl
  kubefold get deploy -A -l app=web        every namespace, by label
  kubefold get pod web-0 -o yaml           one object as it is stored; also pod/web-0
  kubefold get widgets.demo.example.com -o json

Custom kinds are known by the CRDs in the copy. How old the answer is stands in a last line on standard error.
Exit code 1: an object is not found, or the kind is not mirrored.`,
    options: {
      namespace: { type: 'string', short: 'n', value: 'NS', help: 'The namespace to read. Default: default.' },
      'all-namespaces': { type: 'boolean', short: 'A', help: 'Reads every namespace.' },
      selector: { type: 'string', short: 'l', value: 'SELECTOR', help: 'Only objects with these labels: app=web,tier!=cache.' },
      'field-selector': {
        type: 'string',
        value: 'SELECTOR',
        help: 'Only objects with these fields, of those the API server selects by: status.phase=Running.',
      },
      output: { type: 'string', short: 'o', value: 'FORMAT', help: `One of ${FORMATS.join(', ')}. Default table.` },
      'no-headers': { type: 'boolean', help: 'Leaves the titles of the columns out.' },
      ...Object.fromEntries(Object.entries(MIRROR_OPTIONS).filter(([name]) => name === 'storage')),
      config: { type: 'string', value: 'FILE', help: 'The configuration of the mirror: its storage and the name of its cluster.' },
      'cluster-name': { type: 'string', value: 'NAME', help: 'The cluster to read. Default: the only one in the copy.' },
    },
    positionals: { min: 1, max: MOST_NAMES },
    async run(parsed, context) {
      const request = requestOf(parsed);
      const { config } = await readConfig(parsed);
      const reader = openReader(config.storage.url, config.storage);
      try {
        const cluster = await chooseCluster(reader, config.cluster.name);
        return await answer({ request, reader, cluster, context, nowMs: clock.wall() });
      } catch (cause) {
        throw cause instanceof SelectorError ? new UsageError(`Cannot use the selector: ${cause.message}.`) : cause;
      } finally {
        await reader.close();
      }
    },
  };
}

interface Request {
  /** As they were typed, each with the names asked for; none means all objects. */
  readonly targets: readonly { readonly kind: string; readonly names: readonly string[] }[];
  /** Null for all namespaces. */
  readonly namespace: string | null;
  readonly labels: string | undefined;
  readonly fields: string | undefined;
  readonly format: Format;
  readonly withHeaders: boolean;
  /** Whether a single object was asked for, which is printed without a list around it. */
  readonly isSingle: boolean;
}

function requestOf(parsed: Parsed): Request {
  const targets = targetsOf(parsed.positionals);
  const isNamed = targets.some(({ names }) => names.length > 0);
  const [labels, fields] = [parsed.text('selector'), parsed.text('field-selector')];
  const isEverywhere = parsed.flag('all-namespaces');
  if (isNamed && (labels !== undefined || fields !== undefined)) throw new UsageError('A name and a selector cannot be given together: leave one of them out.');
  if (isNamed && isEverywhere)
    throw new UsageError('An object cannot be asked for by name in all namespaces: name its namespace with -n, or use --field-selector metadata.name=NAME.');
  return {
    targets,
    namespace: isEverywhere ? null : (parsed.text('namespace') ?? 'default'),
    labels,
    fields,
    format: formatOf(parsed.text('output') ?? 'table'),
    withHeaders: !parsed.flag('no-headers'),
    isSingle: targets.length === 1 && targets[0]?.names.length === 1,
  };
}

function formatOf(text: string): Format {
  const format = FORMATS.find((known) => known === text);
  if (format !== undefined) return format;
  const near = didYouMean(text, FORMATS);
  throw new UsageError(`--output must be one of ${FORMATS.join(', ')}, found "${text}"${near === null ? '.' : `; did you mean ${near}?`}`);
}

/** `KIND[,KIND…] [NAME…]` or `KIND/NAME…`. */
function targetsOf(positionals: readonly string[]): Request['targets'] {
  const [first = '', ...names] = positionals;
  if (!positionals.some((text) => text.includes('/'))) {
    const kinds = first.split(',').filter((kind) => kind !== '');
    if (kinds.length === 0) throw new UsageError('A kind must be named, for example kubefold get pods.');
    return [...new Set(kinds)].map((kind) => ({ kind, names }));
  }
  return positionals.map((text) => {
    const [kind = '', name = '', more] = text.split('/');
    if (kind === '' || name === '' || more !== undefined) throw new UsageError(`"${text}" is not KIND/NAME: all arguments must have this form, or none.`);
    return { kind, names: [name] };
  });
}

async function chooseCluster(reader: StorageReader, asked: string | null): Promise<string> {
  const stored = await reader.clusters();
  if (asked === null) {
    const [only] = stored;
    if (only === undefined) throw new Error('The copy holds no cluster yet: its mirror (kubefold run) has not written anything');
    if (stored.length > 1) throw new UsageError(`The copy holds several clusters: ${stored.join(', ')}. Choose one with --cluster-name.`);
    return only;
  }
  if (stored.includes(asked)) return asked;
  const near = didYouMean(asked, stored);
  throw new UsageError(
    `The copy holds no cluster "${asked}"${near === null ? '' : `; did you mean ${near}?`} ${stored.length === 0 ? 'It holds none yet.' : `It holds: ${stored.join(', ')}.`}`,
  );
}

interface Answer {
  readonly request: Request;
  readonly reader: StorageReader;
  readonly cluster: string;
  readonly context: CommandContext;
  readonly nowMs: number;
}

async function answer(parts: Answer): Promise<number> {
  const { request, reader, cluster, context, nowMs } = parts;
  const catalog = await Catalog.open(reader, cluster);
  const kinds: { readonly kind: ReadableKind; readonly names: readonly string[] }[] = [];
  for (const { kind, names } of request.targets) {
    for (const resolved of await catalog.resolve(kind)) kinds.push({ kind: resolved, names });
  }
  // Before the rows: these are then at least as new as the records say.
  const scopes = await reader.scopes(cluster);
  const several = new Set(kinds.map(({ kind }) => kindId(kind))).size > 1;
  const output = createOutput({
    format: request.format,
    write: context.stdout,
    isList: !request.isSingle || kinds.length > 1,
    withNamespace: request.namespace === null,
    withHeaders: request.withHeaders,
    withKind: several,
    nowMs,
  });
  const notes: string[] = [];
  let found = 0;
  let failures = 0;
  for (const { kind, names } of kinds) {
    const result = await answerKind({ ...parts, catalog, kind, names, output, scopes });
    found += result.found;
    failures += result.errors.length;
    notes.push(...result.errors);
    if (result.note !== null) notes.push(several ? result.note.replace(/^(warning: )?/, `$1${kindId(kind)}: `) : result.note);
  }
  output.end();
  const isForPeople = request.format === 'table' || request.format === 'wide' || request.format === 'name';
  if (found === 0 && failures === 0 && isForPeople) {
    const within = request.namespace !== null && kinds.some(({ kind }) => kind.namespaced) ? ` in ${request.namespace} namespace` : '';
    context.stderr(`No resources found${within}.\n`);
  }
  for (const note of new Set(notes)) context.stderr(`${note}\n`);
  return failures > 0 ? 1 : 0;
}

interface KindAnswer extends Answer {
  readonly catalog: Catalog;
  readonly kind: ReadableKind;
  readonly names: readonly string[];
  readonly output: Output;
  readonly scopes: readonly ScopeRecord[];
}

/** What is said about one kind behind its rows. */
interface KindResult {
  readonly found: number;
  readonly errors: readonly string[];
  /** How old the answer is. */
  readonly note: string | null;
}

async function answerKind(parts: KindAnswer): Promise<KindResult> {
  const { request, reader, cluster, catalog, kind, names, output, scopes, nowMs } = parts;
  const id = kindId(kind);
  const namespace = kind.namespaced ? request.namespace : null;
  const matches = matcherOf(parts);
  if (!catalog.stored.includes(id)) {
    const why = id === 'secrets' ? ' Secrets are mirrored only when the configuration asks for them.' : '';
    return { found: 0, errors: [`Error (NotMirrored): ${id} are not in the copy of cluster "${cluster}".${why} ${storedText(catalog.stored)}`], note: null };
  }
  output.begin(kind, (apiVersion) => catalog.columns(kind, apiVersion));
  const errors: string[] = [];
  let found = 0;
  for await (const row of rowsOf(parts, namespace)) {
    if (typeof row === 'string') {
      errors.push(`Error (NotFound): ${id} "${row}" not found in the copy of cluster "${cluster}"`);
      continue;
    }
    if (matches === null) output.push(row);
    else {
      const tree = parsedBody(row);
      if (!matches(tree)) continue;
      output.push(row, tree);
    }
    found++;
  }
  // Behind the rows: what was refused in between is told, too.
  const parked = (await reader.parked(cluster)).filter((row) => row.kind === id && (names.length === 0 || names.includes(nameOf(row.key))));
  const freshness = freshnessOf({ records: scopes.filter((record) => record.kind === id), parked, namespace }, nowMs);
  const isBlind = freshness.state === 'unknown' && found === 0 && names.length === 0;
  if (isBlind) errors.push(`Error (NotMirrored): ${id} of cluster "${cluster}": ${freshness.text}`);
  return { found, errors, note: isBlind ? null : `${freshness.state === 'complete' ? '' : 'warning: '}${freshness.text}` };
}

/** The rows asked for; a name that has none is given as itself. */
async function* rowsOf({ reader, cluster, kind, names, context }: KindAnswer, namespace: string | null): AsyncGenerator<StoredObject | string, void> {
  const id = kindId(kind);
  if (names.length === 0) yield* storedRows({ reader, cluster, kind: id, namespace, signal: context.signal });
  for (const name of names) yield (await reader.get(cluster, id, objectKey(namespace ?? '', name))) ?? name;
}

/** Null when everything matches, so that no body needs to be parsed for it. */
function matcherOf({ request, catalog, kind }: KindAnswer): ((object: Tree) => boolean) | null {
  const { labels, fields } = request;
  if (labels === undefined && fields === undefined) return null;
  const selector = parseLabelSelector(labels ?? '');
  const byField = fields === undefined ? null : fieldMatcher(fields, kindId(kind), catalog.fields(kind));
  return (object) => selector.matches(mapAt(object, 'metadata.labels') as Readonly<Record<string, string>>) && (byField === null || byField(object));
}
