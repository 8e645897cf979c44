import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { manifest, ROOT } from './manifests.ts';
import { alerts, asked, dashboard, queries } from './monitoring.ts';

/** What the running program shows: test/web/metrics-page.net.test.ts writes the page from it. Series by name, each with its labels. */
const EXPORTED: ReadonlyMap<string, readonly string[]> = new Map(
  [...readFileSync(join(ROOT, 'src/web/METRICS.md'), 'utf8').matchAll(/^\| `(\w+)` \| (\w+) \| ([^|]*) \|/gm)].flatMap(
    ([, name = '', type, cell = '']): [string, readonly string[]][] => {
      const labels = [...cell.matchAll(/`(\w+)`/g)].map(([, label = '']) => label);
      return type === 'histogram'
        ? [[`${name}_bucket`, [...labels, 'le']] as const, [`${name}_sum`, labels] as const, [`${name}_count`, labels] as const]
        : [[name, labels] as const];
    },
  ),
);
/** Added by whoever scrapes. */
const SCRAPED = ['instance', 'job'];

describe('the queries of alerts and dashboard', () => {
  test.each(queries().map(({ where, expr }) => [where, expr] as const))('%s asks only for what kubefold exports: %s', (_where, expr) => {
    const { names, labels } = asked(expr);
    expect(names).not.toEqual([]);
    expect(names.filter((name) => !EXPORTED.has(name))).toEqual([]);
    const known = new Set([...SCRAPED, ...names.flatMap((name) => EXPORTED.get(name) ?? [])]);
    expect(labels.filter((label) => !known.has(label))).toEqual([]);
  });

  test('are read as Prometheus reads them: a foreign name, a misspelt label and a histogram without its suffix are found', () => {
    expect(asked('sum by (resource) (rate(up{job=~"a|b"}[5m])) > 0 and on (instance) foo')).toEqual({
      names: ['up', 'foo'],
      labels: ['job', 'resource', 'instance'],
    });
    expect(asked('histogram_quantile(0.99, sum by (le) (rate(x_bucket[5m]))) / 1e3')).toEqual({ names: ['x_bucket'], labels: ['le'] });
    expect(EXPORTED.has('kubefold_change_to_stored_seconds')).toBe(false);
    expect(EXPORTED.size).toBeGreaterThan(40);
  });
});

describe('every alert', () => {
  const sections = new Map(
    [...manifest('monitoring/RUNBOOK.md').matchAll(/^## (\w+)\n\n([^#]+)/gm)].map(([, title = '', text = '']) => [title.toLowerCase(), text] as const),
  );

  test.each(alerts().map((alert) => [alert.alert, alert] as const))(
    '%s has a paragraph of its own in the runbook, a severity and a sentence',
    (name, alert) => {
      expect(alert.annotations.runbook).toBe(`RUNBOOK.md#${name.toLowerCase()}`);
      expect((sections.get(name.toLowerCase()) ?? '').length).toBeGreaterThan(150);
      expect(['page', 'ticket']).toContain(alert.labels.severity);
      expect(alert.annotations.summary).toMatch(/^\S.*\.$/);
    },
  );

  test('and no paragraph is about an alert that there is not', () => {
    const names = alerts().map(({ alert }) => alert.toLowerCase());
    expect([...sections.keys()].toSorted()).toEqual(names.toSorted());
  });

  test('a label or value in a sentence is one that the query leaves', () => {
    for (const { alert, expr, annotations } of alerts()) {
      const { names, labels } = asked(expr);
      const left = new Set([...labels, ...names.flatMap((name) => EXPORTED.get(name) ?? [])]);
      for (const [, label = ''] of annotations.summary.matchAll(/\$labels\.(\w+)/g)) expect(left.has(label), `${alert}: ${label}`).toBe(true);
    }
  });
});

describe('the dashboard', () => {
  test('has a title and a query in every panel, none of them twice, and asks for its variables by metrics that there are', () => {
    const { panels, templating } = dashboard();
    const shown = panels.filter(({ type }) => type !== 'row');
    expect(shown.length).toBeGreaterThan(15);
    expect(new Set(shown.map(({ title }) => title)).size).toBe(shown.length);
    for (const { title, targets = [] } of shown) expect(targets.length, title).toBeGreaterThan(0);
    const asks = templating.list.flatMap(({ definition }) => (definition === undefined ? [] : [/^label_values\((\w+), (\w+)\)$/.exec(definition)]));
    expect(asks).toHaveLength(2);
    for (const found of asks) expect([...SCRAPED, ...(EXPORTED.get(found?.[1] ?? '') ?? [])]).toContain(found?.[2]);
  });
});
