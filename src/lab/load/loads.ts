import { UsageError } from '../../model/errors.ts';
import type { Load } from './load.ts';
import { kubemark } from './kubemark-load.ts';
import { KUBEMARK_SHAPES, type KubemarkName } from './kubemark-shape.ts';
import { hotObject, hotSet, initialAndLive, LADDER, ladder, noise, outage, skewed, slowKey, steady, storms, type TrafficOptions } from './traffic.ts';

const NAMED: Readonly<Record<string, (options: TrafficOptions) => Load>> = {
  steady,
  'hot-object': hotObject,
  'hot-set': hotSet,
  storms,
  'initial-and-live': initialAndLive,
  'slow-key': slowKey,
  outage,
  skewed,
  noise,
};

/** Every load that has a name of its own. The rungs of the ladder are `ladder-` and any rate; those that were published are here. */
export const LOAD_NAMES: readonly string[] = [
  ...[...LADDER.serial, ...LADDER.partitioned].map((perSecond) => `ladder-${perSecond}`),
  ...Object.keys(NAMED),
  ...Object.keys(KUBEMARK_SHAPES),
];

/** A load by its name. Throws UsageError for one that there is not, or for an option that its name has no use for. */
export function loadOf(name: string, options: TrafficOptions = {}): Load {
  const [, rate] = /^ladder-([1-9][0-9]*)$/.exec(name) ?? [];
  if (rate !== undefined) return ladder(Number(rate), options);
  const make = Object.hasOwn(NAMED, name) ? NAMED[name] : undefined;
  if (make !== undefined) return make(options);
  if (Object.hasOwn(KUBEMARK_SHAPES, name)) {
    if (options.objects !== undefined || options.changesPerSecond !== undefined || options.bytes !== undefined)
      throw new UsageError(`The load ${name} has its own objects, rates and sizes: leave "objects", "changesPerSecond" and "bytes" out`);
    return kubemark(name as KubemarkName, options);
  }
  throw new UsageError(`There is no load "${name}". They are: ladder-RATE, ${LOAD_NAMES.filter((known) => !known.startsWith('ladder-')).join(', ')}`);
}
