import { readdirSync, readlinkSync, realpathSync } from 'node:fs';

/**
 * Processes besides this one that have the log of the database at `path` open, where the system tells (Linux, and only processes that this
 * user may look into); none elsewhere. Never throws: it only helps a message along.
 */
export function holdersOf(path: string): readonly number[] {
  try {
    const real = realpathSync(path);
    const wanted = new Set([`${real}-wal`, `${real}-shm`]);
    return readdirSync('/proc')
      .filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid && hasOpen(name, wanted))
      .map(Number);
  } catch {
    return [];
  }
}

function hasOpen(pid: string, wanted: ReadonlySet<string>): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((fd) => wanted.has(target(`${folder}/${fd}`)));
  } catch {
    // Another user's, or gone by now.
    return false;
  }
}

function target(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}
