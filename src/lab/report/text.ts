import { formatTable } from '../../bench/report.ts';
import type { Comparison } from '../compare.ts';
import type { Finding } from '../findings.ts';
import type { Row } from '../summary.ts';
import { COLUMNS, verdict, whole } from './figures.ts';
import { REACH_HEADS, REACH_SAYS, reachCells, reachText } from './reach.ts';

const BRIEF = COLUMNS.filter(({ isBrief }) => isBrief);
const HEADING = ['strategy', ...BRIEF.map(({ title }) => title), 'out of order', 'wrong rows'];

/** A comparison for a terminal: a table for each load and storage, then what was asked and what was seen. */
export function comparisonText({ rows, reach, findings, tookSeconds, isComplete, seeds }: Comparison): string {
  const groups = Map.groupBy(rows, ({ load, target, clock }) => `${load}, ${storageText(target)}, ${clock} time`);
  const tables = [...groups].map(([title, group]) => `${title}\n${formatTable([HEADING, ...group.map(cells)])}`);
  const cut = isComplete ? '' : 'Ended early: this is about the runs that were made.\n';
  const far =
    reach.length === 0
      ? ''
      : `How much sooner anybody could drain, seconds after the burst\n${formatTable([REACH_HEADS, ...reach.map(reachCells)])}${REACH_SAYS}\n\n`;
  const limit = reachText(reach);
  const closing = limit === null ? '' : `${limit}\n`;
  return `${tables.join('\n')}\n${far}${findings.map(findingText).join('')}\n${closing}${cut}${rows.length} contestants, seeds ${seeds.join(', ')}, ${tookSeconds.toFixed(0)} s. exact: from the end of the burst until no row was wrong.\n`;
}

export function storageText(target: Row['target']): string {
  switch (target) {
    case 'memory':
      return 'in memory';
    case 'http':
      return 'HTTP service';
    case 'sqlite':
      return 'SQLite';
    default:
      return target satisfies never;
  }
}

function cells(row: Row): readonly string[] {
  return [row.strategy, ...BRIEF.map(({ of }) => of(row)), whole(row.orderViolations), verdict(row)];
}

function findingText({ asked, seen, isMet, exceptions }: Finding): string {
  const answer = isMet === null ? 'not shown' : isMet ? 'met' : 'NOT met';
  return `  ${answer.padEnd(9)}  ${asked}: ${seen}\n${exceptions.map((line) => `             ${line}\n`).join('')}`;
}
