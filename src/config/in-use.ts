import type { ConfigurationStatus } from '../model/status.ts';

/** Which version of the configuration is in use, which one is refused, and what waits for a restart: kept for status, log and metrics. */
export class ConfigInUse {
  #status: ConfigurationStatus;

  /** `version` is the one that the process was started with; null when there is no file. */
  constructor(version: string | null) {
    this.#status = { version, appliedAt: null, waitsForRestart: [], refused: null };
  }

  get status(): ConfigurationStatus {
    return this.#status;
  }

  /** What a person should know of it, a sentence each. */
  get warnings(): readonly string[] {
    const { refused, waitsForRestart } = this.#status;
    const told = [];
    if (refused !== null) told.push(`configuration ${refused.version} is refused as a whole, the one before it stays: ${refused.error}`);
    if (waitsForRestart.length > 0) told.push(`changed in the configuration, but in use only after a restart: ${waitsForRestart.join(', ')}`);
    return told;
  }

  /** Everything live of it is in use from `at` (Unix ms); `waitsForRestart` are the keys that differ from what the process runs with. */
  applied(version: string, at: number, waitsForRestart: readonly string[]): void {
    this.#status = { version, appliedAt: at, waitsForRestart, refused: null };
  }

  /** It is wrong, so the one in use stays, whole. */
  refuse(version: string, error: string): void {
    this.#status = { ...this.#status, refused: { version, error } };
  }
}
