import { describe, expect, test } from 'vitest';
import { podSummary } from '../../src/read/pods.ts';
import type { Tree } from '../../src/read/tree.ts';

const NOW = Date.UTC(2026, 0, 1);
const HOUR_AGO = '2025-12-31T23:00:00Z';
const DAY_AGO = '2025-12-31T00:00:00Z';

const running = { running: { startedAt: HOUR_AGO } };
const waiting = (reason?: string): Tree => ({ waiting: reason === undefined ? {} : { reason } });
const ended = (exitCode: number, more: Tree = {}): Tree => ({ terminated: { exitCode, ...more } });
const READY = { type: 'Ready', status: 'True' };

interface Status {
  readonly name?: string;
  readonly state?: Tree;
  readonly ready?: boolean;
  readonly started?: boolean;
  readonly restartCount?: number;
  readonly lastState?: Tree;
}

function pod(parts: {
  inits?: readonly Status[];
  sidecars?: readonly string[];
  containers?: readonly Status[];
  phase?: string;
  reason?: string;
  conditions?: readonly Tree[];
  metadata?: Tree;
}): Tree {
  const { inits = [], sidecars = [], containers = [], phase = 'Running', reason, conditions = [], metadata = {} } = parts;
  const named = (list: readonly Status[]): readonly Status[] => list.map((one, index) => ({ name: `c${index}`, restartCount: 0, ready: false, ...one }));
  return {
    metadata,
    spec: {
      containers: containers.map((_, index) => ({ name: `c${index}` })),
      initContainers: named(inits).map(({ name }) => ({ name, ...(sidecars.includes(name ?? '') ? { restartPolicy: 'Always' } : {}) })),
    },
    status: { phase, ...(reason === undefined ? {} : { reason }), conditions, initContainerStatuses: named(inits), containerStatuses: named(containers) },
  };
}

const up: Status = { state: running, ready: true };

describe('STATUS', () => {
  test.each<[string, string, Parameters<typeof pod>[0]]>([
    ['the phase when no container says more', 'Pending', { phase: 'Pending', containers: [{ state: waiting() }] }],
    ['the reason of the pod before its phase', 'Evicted', { phase: 'Failed', reason: 'Evicted' }],
    [
      'a pod that is held back from scheduling',
      'SchedulingGated',
      { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] },
    ],
    ['running', 'Running', { containers: [up], conditions: [READY] }],
    ['why a container waits', 'ImagePullBackOff', { containers: [{ state: waiting('ImagePullBackOff') }] }],
    [
      'the lowest-numbered container gives the reason',
      'ErrImagePull',
      { containers: [{ state: waiting('ErrImagePull') }, { state: waiting('CrashLoopBackOff') }] },
    ],
    ['the exit code when there is no reason', 'ExitCode:3', { containers: [{ state: ended(3) }] }],
    ['the signal when there is one', 'Signal:9', { containers: [{ state: ended(137, { signal: 9 }) }] }],
    [
      'one container ended, another is ready: the pod is Running',
      'Running',
      { containers: [{ state: ended(0, { reason: 'Completed' }) }, up], conditions: [READY] },
    ],
    ['the same in a pod that is not ready', 'NotReady', { containers: [{ state: ended(0, { reason: 'Completed' }) }, up] }],
    ['all ended', 'Completed', { phase: 'Succeeded', containers: [{ state: ended(0, { reason: 'Completed' }) }] }],
    [
      'the second of two init containers runs',
      'Init:1/2',
      { phase: 'Pending', inits: [{ state: ended(0) }, { state: running }], containers: [{ state: waiting('PodInitializing') }] },
    ],
    ['an init container failed with a reason', 'Init:Error', { phase: 'Pending', inits: [{ state: ended(1, { reason: 'Error' }) }] }],
    ['an init container failed without one', 'Init:ExitCode:4', { phase: 'Pending', inits: [{ state: ended(4) }] }],
    ['an init container was ended by a signal', 'Init:Signal:9', { phase: 'Pending', inits: [{ state: ended(137, { signal: 9 }) }] }],
    ['an init container waits', 'Init:CrashLoopBackOff', { phase: 'Pending', inits: [{ state: waiting('CrashLoopBackOff') }] }],
    ['an init container that waits for its turn', 'Init:0/1', { phase: 'Pending', inits: [{ state: waiting('PodInitializing') }] }],
    ['a sidecar that has not started', 'Init:0/1', { phase: 'Pending', inits: [{ state: running, started: false }], sidecars: ['c0'] }],
    ['deleted', 'Terminating', { containers: [up], metadata: { deletionTimestamp: HOUR_AGO } }],
    ['deleted on a lost node', 'Unknown', { containers: [up], reason: 'NodeLost', metadata: { deletionTimestamp: HOUR_AGO } }],
    [
      'ended before it was deleted',
      'Completed',
      { phase: 'Succeeded', containers: [{ state: ended(0, { reason: 'Completed' }) }], metadata: { deletionTimestamp: HOUR_AGO } },
    ],
  ])('%s: %s', (_name, status, parts) => {
    expect(podSummary(pod(parts), NOW).status).toBe(status);
  });
});

test('READY counts ready containers and started sidecars, not other init containers', () => {
  const parts = {
    inits: [{ state: ended(0) }, { name: 'side', state: running, started: true, ready: true }],
    sidecars: ['side'],
    containers: [up, { state: waiting('CrashLoopBackOff') }],
  };
  expect(podSummary(pod(parts), NOW)).toMatchObject({ ready: '2/3', status: 'CrashLoopBackOff' });
});

test('RESTARTS counts containers and sidecars, and tells how long ago the newest was', () => {
  const died = (finishedAt: string): Tree => ({ terminated: { finishedAt } });
  const parts = {
    inits: [
      { state: ended(0), restartCount: 7, lastState: died(HOUR_AGO) },
      { name: 'side', state: running, started: true, restartCount: 1, lastState: died(DAY_AGO) },
    ],
    sidecars: ['side'],
    containers: [{ ...up, restartCount: 2, lastState: died('2025-12-30T00:00:00Z') }, up],
  };
  expect(podSummary(pod(parts), NOW).restarts).toBe('3 (24h ago)');
  expect(podSummary(pod({ containers: [{ ...up, restartCount: 2 }] }), NOW).restarts).toBe('2');
  expect(podSummary(pod({ containers: [up] }), NOW).restarts).toBe('0');
});

test('while it initializes, RESTARTS counts the init containers up to the one at work', () => {
  const inits = [
    { state: ended(0), restartCount: 1 },
    { state: waiting('CrashLoopBackOff'), restartCount: 4, lastState: { terminated: { finishedAt: HOUR_AGO } } },
    { restartCount: 9 },
  ];
  expect(podSummary(pod({ phase: 'Pending', inits, containers: [{ state: waiting('PodInitializing'), restartCount: 5 }] }), NOW)).toEqual({
    ready: '0/1',
    status: 'Init:CrashLoopBackOff',
    restarts: '5 (60m ago)',
  });
});

test('a pod without any status is no error', () => {
  expect(podSummary({ metadata: { name: 'x' } }, NOW)).toEqual({ ready: '0/0', status: '', restarts: '0' });
  expect(podSummary({ spec: { containers: 'no list' }, status: { containerStatuses: [null, 5] } }, NOW)).toMatchObject({ ready: '0/0' });
});
