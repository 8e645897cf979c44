/** One metric as an exposition tells it. */
export interface Exposed {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  /** Every label of its samples with the values that were seen; without the bounds of a histogram's buckets. */
  readonly labels: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Reads the text format of Prometheus, as far as kubefold writes it. Throws at a sample of which no HELP and TYPE came before. */
export function readExposition(text: string): ReadonlyMap<string, Exposed> {
  const help = new Map<string, string>();
  const found = new Map<string, { name: string; type: string; help: string; labels: Map<string, Set<string>> }>();
  for (const line of text.split('\n')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') help.set(name, rest);
    else if (keyword === 'TYPE') found.set(name, { name, type: rest, help: help.get(name) ?? '', labels: new Map() });
    else if (line !== '') {
      const [, sample = '', labels = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
      const metric = found.get(sample) ?? found.get(sample.replace(/_(?:bucket|sum|count)$/, ''));
      if (metric === undefined) throw new Error(`a sample without HELP and TYPE: ${line}`);
      for (const [, label = '', value = ''] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
        if (label === 'le') continue;
        const values = metric.labels.get(label) ?? new Set();
        metric.labels.set(label, values.add(value));
      }
    }
  }
  return found;
}
