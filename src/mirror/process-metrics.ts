import { readdirSync } from 'node:fs';
import type { Clock } from '../kit/clock.ts';
import { busySeconds, EventLoopDelay, startedAt } from '../kit/event-loop.ts';
import { VERSION } from '../model/version.ts';
import type { ComputedMetric, Metrics } from './metrics.ts';

/** What the process itself needs, by the names that every Prometheus client uses; read when somebody asks. */
export function showProcess(metrics: Pick<Metrics, 'computed'>, clock: Pick<Clock, 'now'>): void {
  const delay = new EventLoopDelay(clock);
  const one = (type: ComputedMetric['type'], name: string, help: string, read: () => number | null): void => {
    const samples = (): ReturnType<ComputedMetric['read']> => {
      const value = read();
      return value === null ? [] : [{ metricName: name, labels: {}, value }];
    };
    metrics.computed({ name, help, type, read: samples });
  };
  one(
    'gauge',
    'kubefold_event_loop_blocked_seconds',
    'The longest time in the last one to two minutes for which nothing else could happen in the main thread; 0.1 s too short at the most, 0 when first asked',
    () => delay.worst(),
  );
  one('counter', 'kubefold_event_loop_busy_seconds_total', 'Seconds in which the main thread worked: at a rate of 1 it has no time left', busySeconds);
  one('counter', 'process_cpu_seconds_total', 'CPU of the process, all threads, user and system', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  one('gauge', 'process_resident_memory_bytes', 'Memory of the process that is in RAM', () => process.memoryUsage.rss());
  one('gauge', 'process_start_time_seconds', 'When the process began, as a Unix time', startedAt);
  one('gauge', 'process_open_fds', 'Open files and sockets; only on Linux', openFiles);
  one('gauge', 'nodejs_heap_size_used_bytes', 'JavaScript objects of the main thread', () => process.memoryUsage().heapUsed);
  one('gauge', 'nodejs_external_memory_bytes', 'Buffers and the like, outside of the heap', () => process.memoryUsage().external);
  const info = 'kubefold_build_info';
  metrics.computed({
    name: info,
    help: 'Always 1; version of kubefold and of Node',
    type: 'gauge',
    read: () => [{ metricName: info, labels: { version: VERSION, node: process.version }, value: 1 }],
  });
}

/** Null where the system does not tell. */
function openFiles(): number | null {
  try {
    // One is the folder that is being read.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return null;
  }
}
