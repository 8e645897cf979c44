import { pathText } from './problems.ts';
import type { Config } from './schema.ts';

/** Where a changed key takes effect. */
type Effect = 'workers' | 'limits' | 'rules' | 'logLevel' | 'shutdown' | 'fence' | 'audit' | 'restart';

/** Keys that are live whole. What withLiveChanges() takes over is read off here, so that nothing is called applied that is not. */
const LIVE = {
  workers: 'workers',
  limits: 'limits',
  resources: 'rules',
  kinds: 'rules',
  namespaces: 'rules',
  shutdown: 'shutdown',
  fence: 'fence',
  audit: 'audit',
} as const satisfies Partial<Record<keyof Config, Effect>>;
type LiveKey = keyof typeof LIVE;

/** A key that is missing here needs a restart. */
const EFFECTS: readonly (readonly [path: string, effect: Effect])[] = [...Object.entries(LIVE), ['log.level', 'logLevel']];

/** What a new version of the configuration changes. */
export interface ConfigDiff {
  /** Key paths that apply at once, and those that wait for a restart; `workers.pods`, `storage.url`, `resources`. */
  readonly live: readonly string[];
  readonly restart: readonly string[];
  readonly workers: boolean;
  readonly limits: boolean;
  /** resources, kinds or namespaces: plan the kinds again. */
  readonly rules: boolean;
  readonly logLevel: boolean;
}

/** Compares two effective configurations key by key. Names of keys only: values may be nobody's business. */
export function diffConfig(before: Config, after: Config): ConfigDiff {
  const changed = changedPaths(before, after, []);
  const effects = new Map(changed.map((path) => [path, effectOf(path)]));
  const has = (effect: Effect): boolean => [...effects.values()].includes(effect);
  return {
    live: changed.filter((path) => effects.get(path) !== 'restart'),
    restart: changed.filter((path) => effects.get(path) === 'restart'),
    workers: has('workers'),
    limits: has('limits'),
    rules: has('rules'),
    logLevel: has('logLevel'),
  };
}

/** The configuration to go on with: every live key from `after`, every other as the process was started. */
export function withLiveChanges(before: Config, after: Config): Config {
  const live = Object.fromEntries(Object.keys(LIVE).map((key) => [key, after[key as LiveKey]])) as Pick<Config, LiveKey>;
  return Object.freeze({ ...before, ...live, log: Object.freeze({ ...before.log, level: after.log.level }) });
}

/** One sentence for log and status; null when nothing changed. */
export function describeDiff(diff: ConfigDiff): string | null {
  const parts = [];
  if (diff.live.length > 0) parts.push(`applied: ${diff.live.join(', ')}`);
  if (diff.restart.length > 0) parts.push(`needs a restart: ${diff.restart.join(', ')}`);
  return parts.length === 0 ? null : parts.join('; ');
}

function effectOf(path: string): Effect {
  return EFFECTS.find(([known]) => path === known || path.startsWith(`${known}.`) || path.startsWith(`${known}[`))?.[1] ?? 'restart';
}

/** Lists count as one value: positions in them mean nothing to a reader of the message. */
function changedPaths(before: unknown, after: unknown, path: readonly string[]): readonly string[] {
  if (isMapping(before) && isMapping(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => changedPaths(before[key], after[key], [...path, key]));
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [pathText(path)];
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
