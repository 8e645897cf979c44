import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Comparison } from '../compare.ts';
import type { Finding } from '../findings.ts';
import type { Row } from '../summary.ts';
import { type Chart, chartsOf } from './charts.ts';
import { COLUMNS, verdict, whole } from './figures.ts';
import { REACH_HEADS, REACH_SAYS, reachCells, reachText } from './reach.ts';
import { storageText } from './text.ts';
import { WHY_PUBLISHED_DIFFERS } from './why.ts';

/** A comparison as one page that needs nothing else: no network, no other file. */
export function comparisonPage(comparison: Comparison): string {
  const charts = chartsOf(comparison);
  const configs = Object.fromEntries(charts.map(({ id, configs: all }) => [id, all]));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<title>kubefold: queue strategies compared</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Queue strategies compared</h1>
${circumstances(comparison)}
<h2>What was asked, and what was seen</h2>
${findingsTable(comparison.findings)}
${reachTable(comparison)}
<h2>The published tables, beside ours</h2>
${publishedTable(comparison)}
${charts.map(chartHtml).join('\n')}
${growthTable(comparison.growth)}
<h2>Every contestant</h2>
<p>Exact: from the end of the burst until no row was wrong; p50 and p99: from a change until it is stored. A cell is red where rows ended wrong, or where storage met an older state after a newer one.
A run in real time that was given up is grey: it is neither right nor wrong.</p>
${resultTables(comparison)}
<h2>The loads</h2>
<dl>${comparison.loads.map(({ name, summary, objects }) => `<dt>${text(name)}</dt><dd>${text(summary)} ${whole(objects)} objects.</dd>`).join('\n')}</dl>
<script>${library()}</script>
<script type="application/json" id="configs">${JSON.stringify(configs).replaceAll('<', '\\u003c')}</script>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

/** The library as its authors built it for pages, with its licence in its first lines. */
function library(): string {
  const main = createRequire(import.meta.url).resolve('chart.js');
  return readFileSync(join(dirname(main), 'chart.umd.min.js'), 'utf8').replace(/\n?\/\/# sourceMappingURL=.*\s*$/, '');
}

function circumstances({ command, version, startedAt, tookSeconds, machine, seeds, isComplete, rows }: Comparison): string {
  const facts = [
    ['command', `<code>${text(command)}</code>`],
    [
      'made',
      `${new Date(startedAt).toISOString().slice(0, 16).replace('T', ' ')} UTC, in ${Math.round(tookSeconds)} s${isComplete ? '' : '; ended early: this is about the runs that were made'}`,
    ],
    ['machine', text(`${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB.toFixed(1)} GiB, ${machine.system}`)],
    ['versions', text(`kubefold ${version}, Node ${machine.node}, V8 ${machine.v8}, SQLite ${machine.sqlite}`)],
    ['seeds', text(seeds.join(', '))],
    [
      'time',
      'in memory on a virtual clock; the HTTP service and SQLite in real time, where bursts are cut to a second and a run is given up soon after. Loads whose point takes longer to show run there only when they are named',
    ],
    ['runs', `${rows.reduce((sum, { rounds }) => sum + rounds, 0)} runs of ${rows.length} contestants, which took turns; figures are medians of the rounds`],
  ];
  return `<dl id="circumstances">${facts.map(([name, value]) => `<dt>${name}</dt><dd>${value}</dd>`).join('')}</dl>`;
}

function findingsTable(findings: readonly Finding[]): string {
  const rows = findings.map(({ asked, seen, isMet, exceptions }) => {
    const answer = isMet === null ? 'not shown' : isMet ? 'met' : 'NOT met';
    const list =
      exceptions.length === 0
        ? ''
        : `<details${isMet === false ? ' open' : ''}><summary>${exceptions.length} to look at</summary><ul>${exceptions.map((line) => `<li>${text(line)}</li>`).join('')}</ul></details>`;
    return `<tr><td class="${isMet === null ? 'open' : isMet ? 'good' : 'bad'}">${answer}</td><td class="words">${text(asked)}</td><td class="words">${text(seen)}${list}</td></tr>`;
  });
  return `<div class="wide"><table id="findings"><tbody>${rows.join('\n')}</tbody></table></div>`;
}

function reachTable({ reach }: Comparison): string {
  if (reach.length === 0) return '';
  const rows = reach.map(
    (one) =>
      `<tr>${reachCells(one)
        .map((cell) => `<td>${text(cell)}</td>`)
        .join('')}</tr>`,
  );
  const limit = reachText(reach);
  return `<h2>How much sooner anybody could drain</h2>
<p>Folding with as many writers as there are partitions, and what arithmetic allows; seconds after the burst. ${text(REACH_SAYS)}</p>
<div class="wide"><table id="reach"><thead><tr>${REACH_HEADS.map((head) => `<th>${head}</th>`).join('')}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div>
${limit === null ? '' : `<p id="out-of-reach">${text(limit)}</p>`}`;
}

function publishedTable({ published }: Comparison): string {
  const number = (value: number | null, fraction = 0): string => (value === null ? '–' : value.toLocaleString('en-US', { maximumFractionDigits: fraction }));
  const rows = published.map((row) => {
    const {
      design,
      offeredPerSecond,
      latencyMs,
      writesPerSecond,
      drainSeconds,
      impliedSeconds,
      oursSeconds,
      oursWritesPerSecond,
      foldingSeconds,
      defaultsSeconds,
    } = row;
    const cells = [
      ...[number(offeredPerSecond), number(latencyMs), number(writesPerSecond), number(oursWritesPerSecond), number(drainSeconds), number(impliedSeconds, 1)],
      ...[number(oursSeconds, 1), (drainSeconds / impliedSeconds).toFixed(2), number(foldingSeconds, 1), number(defaultsSeconds, 1)],
    ];
    return `<tr><td>${design === 'serial' ? 'serial' : '30 partitions'}</td>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  const shortest = Math.min(...published.map(({ burstSeconds }) => burstSeconds));
  const cut = shortest < 10 ? `, ours only ${shortest} s, so their drains cannot be compared: leave --quick out for that` : ', and so did ours';
  const heads = [
    'design',
    'offered/s',
    'storage ms',
    'writes/s published',
    'ours',
    'drain s published',
    'implied',
    'ours',
    'published / implied',
    'folding, 30 writers',
    'folding, defaults',
  ];
  return `<div class="wide"><table id="published"><thead><tr>${heads.map((head) => `<th>${head}</th>`).join('')}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div>
<p>The published bursts lasted 10 s${cut}. Implied: what rate, number of lines and latency alone give. Where the published figures differ from that:</p>
<ul>${WHY_PUBLISHED_DIFFERS.map((line) => `<li>${text(line)}</li>`).join('\n')}</ul>`;
}

function chartHtml({ id, title, says, configs }: Chart): string {
  const names = Object.keys(configs);
  const choice =
    names.length < 2 ? '' : `<label>Show <select data-chart="${id}">${names.map((name) => `<option>${text(name)}</option>`).join('')}</select></label>`;
  return `<section><h2>${text(title)}</h2><p>${text(says)} ${choice}</p><div class="chart"><canvas id="${id}" role="img" aria-label="${text(title)}"></canvas></div></section>`;
}

function growthTable(growth: Comparison['growth']): string {
  if (growth.length === 0) return '';
  const rows = growth.map(({ objects, microsInOrder, microsPerChange, microsOfMap, bytesPerWaitingChange, bytesPerObject }) =>
    [whole(objects), microsInOrder.toFixed(1), microsPerChange.toFixed(1), microsOfMap.toFixed(1), whole(bytesPerWaitingChange), whole(bytesPerObject)]
      .map((cell) => `<td>${cell}</td>`)
      .join(''),
  );
  return `<div class="wide"><table id="growth-table"><thead><tr><th>objects</th><th>µs for a change</th><th>in random order</th><th>of it a plain Map</th><th>bytes a waiting change</th><th>bytes an object at rest</th></tr></thead><tbody>${rows.map((row) => `<tr>${row}</tr>`).join('\n')}</tbody></table></div>`;
}

const HEADS = ['strategy', 'wrong rows', 'out of order', ...COLUMNS.map(({ title }) => title)];

function resultTables({ rows }: Comparison): string {
  const groups = Map.groupBy(rows, ({ load, target, clock }) => `${load}, ${storageText(target)}, ${clock} time`);
  const bodies = [...groups].map(
    ([title, group]) =>
      `<tbody><tr><th class="group" colspan="${HEADS.length}" scope="rowgroup">${text(title)}</th></tr>${group.map(resultRow).join('\n')}</tbody>`,
  );
  return `<div class="wide"><table id="results"><thead><tr>${HEADS.map((head) => `<th>${head}</th>`).join('')}</tr></thead>${bodies.join('\n')}</table></div>`;
}

function resultRow(row: Row): string {
  const plain = COLUMNS.map(({ of }) => of(row));
  const order = `<td class="order${row.orderViolations > 0 ? ' bad' : ''}">${whole(row.orderViolations)}</td>`;
  const hint =
    row.wrongRows === 0
      ? ''
      : ` title="${row.wrong.surplus} came back, ${row.wrong.stale} stale, ${row.wrong.missing} missing; seeds ${row.wrongSeeds.join(', ')}"`;
  const state = row.wrongRows > 0 ? ' bad' : row.unfinished === row.rounds ? ' open' : ' good';
  const name = `${row.target}/${row.load}/${row.strategy}`;
  const judged = `<td class="wrong${state}"${hint}>${text(verdict(row))}</td>${order}`;
  return `<tr data-run="${text(name)}"><td>${text(row.strategy)}</td>${judged}${plain.map((cell) => `<td>${text(cell)}</td>`).join('')}</tr>`;
}

function text(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

const STYLE = `
body { font: 14px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 0 auto; padding: 1rem 1.5rem 4rem; max-width: 1400px; }
h1 { font-size: 1.6rem; margin: .5rem 0 1rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; }
p, ul { max-width: 70rem; } code { font: 13px ui-monospace, monospace; background: #f2f2f2; padding: .1rem .3rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; } dt { color: #555; } dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } table { border-collapse: collapse; margin: .5rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .55rem; text-align: right; border-bottom: 1px solid #e4e4e4; white-space: nowrap; }
th { font-weight: 600; color: #444; vertical-align: bottom; white-space: normal; } td:first-child, th:first-child, .words { text-align: left; }
.words { white-space: normal; vertical-align: top; } th.group { text-align: left; padding-top: 1rem; color: #111; background: #fff; }
.good { background: #e3f4e5; color: #14521c; } .bad { background: #c62828; color: #fff; font-weight: 600; } .open { background: #eee; color: #444; }
.chart { position: relative; height: 420px; } details ul { margin: .2rem 0; padding-left: 1.2rem; } select { font: inherit; }
@media print { .chart { break-inside: avoid; } }
`;

/** Runs in the page. Everything to be drawn is in #configs. */
const SCRIPT = `
const configs = JSON.parse(document.getElementById('configs').textContent);
const drawn = {};
function draw(id, name) {
  if (drawn[id]) drawn[id].destroy();
  drawn[id] = new Chart(document.getElementById(id), configs[id][name]);
}
for (const id of Object.keys(configs)) draw(id, Object.keys(configs[id])[0]);
for (const select of document.querySelectorAll('select[data-chart]')) {
  // A browser may have kept the choice of an earlier look.
  select.selectedIndex = 0;
  select.addEventListener('change', () => draw(select.dataset.chart, select.value));
}
`;
