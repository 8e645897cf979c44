import { readFileSync, writeFileSync } from 'node:fs';

/** What a process has used. */
export interface Usage {
  /** User and system, all threads. */
  readonly cpuSeconds: number;
  readonly residentMiB: number;
  /** Since the program began, or forgetPeak(). Not `ru_maxrss`, which a child inherits from the process that forked it. */
  readonly peakMiB: number;
}

/** Of another process, from Linux's /proc. CPU is counted there in steps of 10 ms. */
export function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name, in parentheses, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { cpuSeconds: ticks / TICKS_PER_SECOND, ...memoryOf(String(pid)) };
}

/** From now on `peakMiB` of that process is the peak since now; it must be a process of our own. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Of this process, exactly. */
export function ownUsage(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6, ...memoryOf('self') };
}

/** USER_HZ, 100 on every Linux architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

function memoryOf(process: string): Pick<Usage, 'residentMiB' | 'peakMiB'> {
  const status = readFileSync(`/proc/${process}/status`, 'utf8');
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? Number.NaN) / 1024;
  return { residentMiB: field('VmRSS'), peakMiB: field('VmHWM') };
}

/** The machine's CPU time so far, in ticks. */
export interface MachineTime {
  readonly stolen: number;
  readonly total: number;
}

export function machineTime(): MachineTime {
  const line = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0] ?? '';
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  return { stolen: ticks[7] ?? 0, total: ticks.reduce((sum, value) => sum + value, 0) };
}

/** Per cent of the machine's time that the hypervisor gave to others. Above 5 a run says little. */
export function stolenPercent(before: MachineTime, after: MachineTime): number {
  return after.total === before.total ? 0 : (100 * (after.stolen - before.stolen)) / (after.total - before.total);
}
