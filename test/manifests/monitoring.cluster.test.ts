import { spawnSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { run } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';
import { MANIFESTS } from './manifests.ts';
import { alerts, queries } from './monitoring.ts';

/** What Prometheus itself says, by its promtool (.ci/run installs it): whether it can read every query, and when each alert fires. */
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
const dir = tempDir('monitoring');

afterAll(() => dir.remove());

const RULES = join(MANIFESTS, 'monitoring/alerts.yaml');

test.skipIf(!hasPromtool)('Prometheus reads every query of alerts and dashboard', async () => {
  const rules = queries().map(({ expr }, index) => ({ record: `query:${index}`, expr }));
  expect(rules.length).toBeGreaterThan(40);
  writeFileSync(dir.file('queries.yaml'), JSON.stringify({ groups: [{ name: 'queries', rules }] }));
  const { code, stdout, stderr } = await run('promtool', ['check', 'rules', RULES, dir.file('queries.yaml')]);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain(`SUCCESS: ${rules.length} rules found`);
});

interface Case {
  /** Series with their values a minute, in the notation of promtool: `0x10 1x30` is eleven zeros and then ones. */
  readonly series: Readonly<Record<string, string>>;
  /** Minutes after the start at which the alert must not fire yet, and must. */
  readonly quietAt: number;
  readonly firesAt: number;
}

const POD = 'job="kubefold",instance="a"';
/** For every alert: what makes it fire, and a moment before at which it must be quiet although something is there. */
const CASES: Readonly<Record<string, Case>> = {
  KubefoldCopyTooOld: { series: { [`kubefold_copy_age_seconds{${POD}}`]: '300x20 301x20' }, quietAt: 25, firesAt: 26 },
  KubefoldNotReady: { series: { [`kubefold_ready{${POD}}`]: '1x5 0x40' }, quietAt: 35, firesAt: 36 },
  KubefoldHeldDeletions: { series: { [`kubefold_held_deletions{${POD},resource="pods"}`]: '0x5 60x20' }, quietAt: 10, firesAt: 11 },
  KubefoldParkedKeys: { series: { [`kubefold_parked{${POD},resource="pods"}`]: '0x5 1x20' }, quietAt: 15, firesAt: 16 },
  KubefoldDriftFound: { series: { [`kubefold_drift_total{${POD},resource="pods",cause="body"}`]: '0x10 1x10' }, quietAt: 10, firesAt: 12 },
  KubefoldAuditStuck: { series: { [`kubefold_audit_finished_timestamp_seconds{${POD}}`]: '0x10 600x300' }, quietAt: 199, firesAt: 202 },
  KubefoldStorageBreakerOpen: { series: { [`kubefold_storage_breaker_open{${POD}}`]: '0x5 1x10' }, quietAt: 7, firesAt: 8 },
  KubefoldWatchSilent: { series: { [`kubefold_silence_seconds{${POD}}`]: '120x5 300x5 301x5' }, quietAt: 12, firesAt: 13 },
  KubefoldKindSilent: {
    series: { [`kubefold_heard_timestamp_seconds{${POD},resource="pods"}`]: '60x60', [`kubefold_heard_timestamp_seconds{${POD},resource="events"}`]: '0x60' },
    // Heard last after one minute, silent for 15 after 16, for longer from 17 on, and so for five minutes.
    quietAt: 21,
    firesAt: 22,
  },
  KubefoldNoLeader: {
    series: { [`kubefold_leader{${POD},shard="0"}`]: '1x5 0x20', 'kubefold_leader{job="kubefold",instance="b",shard="0"}': '0x8 1x2 0x20' },
    quietAt: 12,
    firesAt: 13,
  },
  KubefoldEventLoopBlocked: { series: { [`kubefold_event_loop_blocked_seconds{${POD}}`]: '0.1x5 2.5x10' }, quietAt: 10, firesAt: 11 },
  KubefoldConfigRefused: { series: { [`kubefold_config_refused{${POD}}`]: '0x5 1x5' }, quietAt: 6, firesAt: 7 },
  KubefoldRestarts: {
    series: {
      [`process_start_time_seconds{${POD}}`]: '0 100 200 300x2 400x9',
      [`kubefold_build_info{${POD}}`]: '1x20',
      'process_start_time_seconds{job="x"}': '0+60x20',
    },
    quietAt: 5,
    firesAt: 6,
  },
  KubefoldAbsent: { series: { [`kubefold_build_info{${POD}}`]: '1x5 _x20' }, quietAt: 9, firesAt: 16 },
};

test.skipIf(!hasPromtool)('every alert fires when it must, and not before', async () => {
  expect(Object.keys(CASES).toSorted()).toEqual(
    alerts()
      .map(({ alert }) => alert)
      .toSorted(),
  );
  const tests = Object.entries(CASES).map(([alertname, { series, quietAt, firesAt }]) => ({
    interval: '1m',
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: [
      { expr: `count(ALERTS{alertname="${alertname}",alertstate="firing"}) or vector(0)`, eval_time: `${quietAt}m`, exp_samples: [{ labels: '{}', value: 0 }] },
      { expr: `count(ALERTS{alertname="${alertname}",alertstate="firing"}) or vector(0)`, eval_time: `${firesAt}m`, exp_samples: [{ labels: '{}', value: 1 }] },
    ],
  }));
  copyFileSync(RULES, dir.file('alerts.yaml'));
  writeFileSync(dir.file('tests.yaml'), JSON.stringify({ rule_files: ['alerts.yaml'], evaluation_interval: '1m', tests }));
  const { code, stdout, stderr } = await run('promtool', ['test', 'rules', dir.file('tests.yaml')]);
  expect(code, `${stdout}${stderr}`).toBe(0);
});
