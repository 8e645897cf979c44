import { manifest, objectOf } from './manifests.ts';

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

export const alerts = (): readonly Alert[] =>
  objectOf<{ readonly groups: readonly { readonly rules: readonly Alert[] }[] }>('monitoring/alerts.yaml').groups.flatMap(({ rules }) => rules);

/** A query of the dashboard or of an alert, with where it stands. */
export interface Query {
  readonly where: string;
  readonly expr: string;
}

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string }[];
}

export interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string; readonly definition?: string }[] };
}

export const dashboard = (): Dashboard => JSON.parse(manifest('monitoring/dashboard.json')) as Dashboard;

/** Every query of both, with Grafana's variables replaced by what Prometheus would see. */
export function queries(): readonly Query[] {
  return [
    ...alerts().map(({ alert, expr }) => ({ where: alert, expr })),
    ...dashboard().panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ where: title, expr: expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(?:instance|resource)\b/g, '.*') })),
    ),
  ];
}

/** What a query asks for: names of series, and the labels that it selects by or keeps. */
export interface Asked {
  readonly names: readonly string[];
  readonly labels: readonly string[];
}

const WORDS = ['by', 'without', 'on', 'ignoring', 'group_left', 'group_right', 'and', 'or', 'unless', 'bool', 'offset'];

/** Reads the small part of PromQL that is used here: whatever is no number, text, function or word of the language is a name. */
export function asked(expr: string): Asked {
  const labels: string[] = [];
  const bare = expr
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')
    .replaceAll(/\{([^}]*)\}/g, (_, matchers: string) => {
      labels.push(...[...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label));
      return ' ';
    })
    .replaceAll(/\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g, (_, kept: string) => {
      labels.push(...kept.split(',').map((label) => label.trim()));
      return ' ';
    })
    .replaceAll(/\[[^\]]*\]/g, ' ');
  const names = [...bare.matchAll(/(?<![\w.])[a-zA-Z_:][\w:]*(?!\w)(?!\s*\()/g)].map(([name]) => name).filter((name) => !WORDS.includes(name));
  return { names: [...new Set(names)], labels: [...new Set(labels)].filter((label) => label !== '') };
}
