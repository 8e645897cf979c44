import type { LeaseRecord } from '../../src/lease/record.ts';
import { readLease, type SeenLease } from '../../src/lease/record.ts';

/** One Lease as an API server keeps it: every write has a version, and an update must name the newest. */
export class LeaseServer {
  lease: Readonly<Record<string, unknown>> | null = null;
  readonly #nextVersion: () => number;

  /** `nextVersion` for several leases of one cluster. */
  constructor(nextVersion?: () => number) {
    let version = 0;
    this.#nextVersion = nextVersion ?? (() => ++version);
  }

  get record(): LeaseRecord | null {
    return this.lease === null ? null : readLease(this.lease).record;
  }

  read(): SeenLease | null {
    return this.lease === null ? null : readLease(this.lease);
  }

  /** Null for a conflict. */
  create(lease: object): SeenLease | null {
    return this.lease === null ? this.#store(lease) : null;
  }

  /** Null for a conflict, also when it is gone. */
  update(lease: object): SeenLease | null {
    return this.lease !== null && versionOf(lease) === versionOf(this.lease) ? this.#store(lease) : null;
  }

  delete(): void {
    this.lease = null;
  }

  #store(lease: object): SeenLease {
    const stored = structuredClone(lease) as { metadata: Record<string, unknown> };
    stored.metadata = { ...stored.metadata, resourceVersion: String(this.#nextVersion()) };
    this.lease = stored as unknown as Record<string, unknown>;
    return readLease(this.lease);
  }
}

function versionOf(lease: object): unknown {
  return (lease as { metadata?: { resourceVersion?: unknown } }).metadata?.resourceVersion;
}
