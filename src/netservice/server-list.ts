/** Which NetServices there are. */
export interface ServerList {
  /** At least one, as `http://host:port`; may wait a while for the first. Rejects, with a sentence, when none is known. */
  endpoints(signal: AbortSignal): Promise<readonly string[]>;
  /** Follows changes until `signal` aborts. `onFound` is called when servers are known that were not. Never rejects. */
  follow(signal: AbortSignal, onFound: () => void): Promise<void>;
}

/** Servers that the configuration names. */
export function fixedServers(endpoints: readonly string[]): ServerList {
  return { endpoints: () => Promise.resolve(endpoints), follow: () => Promise.resolve() };
}
