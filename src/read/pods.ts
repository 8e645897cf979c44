import { ageOf } from './age.ts';
import { conditionOf, countAt, hasTrueCondition, isTree, textAt, type Tree, treesAt, valueAt } from './tree.ts';

/** What `kubectl get pods` says of a pod. */
export interface PodSummary {
  readonly ready: string;
  readonly status: string;
  readonly restarts: string;
}

/**
 * READY, STATUS and RESTARTS by the rules of the API server's printer (read contract, section 7): init containers first, then the
 * lowest-numbered container that waits or has ended gives the reason; sidecars (init containers that restart always) count as containers. Pure.
 */
export function podSummary(pod: Tree, nowMs: number): PodSummary {
  const sidecars = new Set(
    treesAt(pod, 'spec.initContainers')
      .filter((one) => one['restartPolicy'] === 'Always')
      .map((one) => one['name']),
  );
  const total = treesAt(pod, 'spec.containers').length + sidecars.size;
  const phase = textAt(pod, 'status.phase');
  const scheduled = conditionOf(pod, 'PodScheduled');
  let reason = scheduled?.['reason'] === 'SchedulingGated' ? 'SchedulingGated' : textAt(pod, 'status.reason', phase);
  let ready = 0;

  const inits = treesAt(pod, 'status.initContainerStatuses');
  let restarted = restartsOf([]);
  let isInitializing = false;
  for (const [index, one] of inits.entries()) {
    restarted = restartsOf(inits.slice(0, index + 1));
    const state = stateOf(one);
    if (state.terminated !== undefined && countAt(state.terminated, 'exitCode') === 0) continue;
    if (sidecars.has(one['name']) && one['started'] === true) {
      if (one['ready'] === true) ready++;
      continue;
    }
    const waiting = state.waiting === undefined ? '' : textAt(state.waiting, 'reason');
    if (state.terminated !== undefined) reason = `Init:${endOf(state.terminated)}`;
    else if (waiting !== '' && waiting !== 'PodInitializing') reason = `Init:${waiting}`;
    else reason = `Init:${index}/${treesAt(pod, 'spec.initContainers').length}`;
    isInitializing = true;
    break;
  }

  if (!isInitializing || hasTrueCondition(pod, 'Initialized')) {
    const containers = treesAt(pod, 'status.containerStatuses');
    restarted = restartsOf([...inits.filter((one) => sidecars.has(one['name'])), ...containers]);
    let isRunning = false;
    for (const one of containers.toReversed()) {
      const state = stateOf(one);
      const waiting = state.waiting === undefined ? '' : textAt(state.waiting, 'reason');
      if (waiting !== '') reason = waiting;
      else if (state.terminated !== undefined) reason = endOf(state.terminated);
      else if (one['ready'] === true && state.running !== undefined) {
        isRunning = true;
        ready++;
      }
    }
    // One container has ended well while another still runs: the pod is not completed.
    if (reason === 'Completed' && isRunning) reason = hasTrueCondition(pod, 'Ready') ? 'Running' : 'NotReady';
  }

  if (valueAt(pod, 'metadata.deletionTimestamp') !== undefined) {
    if (textAt(pod, 'status.reason') === 'NodeLost') reason = 'Unknown';
    else if (phase !== 'Succeeded' && phase !== 'Failed') reason = 'Terminating';
  }
  const ago = restarted.count === 0 || restarted.last === '' ? '' : ` (${ageOf(restarted.last, nowMs)} ago)`;
  return { ready: `${ready}/${total}`, status: reason, restarts: `${restarted.count}${ago}` };
}

function stateOf(status: Tree): Readonly<Record<'waiting' | 'running' | 'terminated', Tree | undefined>> {
  const part = (name: string): Tree | undefined => {
    const value = valueAt(status, `state.${name}`);
    return isTree(value) ? value : undefined;
  };
  return { waiting: part('waiting'), running: part('running'), terminated: part('terminated') };
}

function endOf(terminated: Tree): string {
  const signal = countAt(terminated, 'signal');
  return textAt(terminated, 'reason', signal === 0 ? `ExitCode:${countAt(terminated, 'exitCode')}` : `Signal:${signal}`);
}

function restartsOf(statuses: readonly Tree[]): { readonly count: number; readonly last: string } {
  let count = 0;
  let last = '';
  for (const status of statuses) {
    count += countAt(status, 'restartCount');
    // RFC 3339 in UTC with whole seconds: the order of the texts is the order of the times.
    const at = textAt(status, 'lastState.terminated.finishedAt');
    if (at > last) last = at;
  }
  return { count, last };
}
