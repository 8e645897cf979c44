/** What a Lease says of who leads. */
export interface LeaseRecord {
  /** '' when it was released. */
  readonly holder: string;
  /** How long the holder may be trusted after it was seen to renew, in milliseconds. */
  readonly durationMs: number;
  /** Grows by one with every change of the holder: the epoch of its writes. */
  readonly transitions: number;
  /** RFC 3339 with microseconds. Never compared with a clock (LE-S3). */
  readonly acquireTime: string;
  readonly renewTime: string;
}

/** A Lease as the API server has it. */
export interface SeenLease {
  readonly record: LeaseRecord;
  /** The whole object: what others wrote into it (labels) is kept, and its resourceVersion makes an update conditional. */
  readonly object: Readonly<Record<string, unknown>>;
}

/** Reads what the API server sent; a Lease that nobody has filled in yet is one that nobody holds. Throws when it is no Lease. */
export function readLease(value: unknown): SeenLease {
  const object = mapping(value);
  if (typeof mapping(object['metadata'])['resourceVersion'] !== 'string') throw new Error('the API server answered with something that is no Lease');
  const spec = mapping(object['spec']);
  return {
    object,
    record: {
      holder: text(spec['holderIdentity']),
      durationMs: number(spec['leaseDurationSeconds']) * 1000,
      transitions: number(spec['leaseTransitions']),
      acquireTime: text(spec['acquireTime']),
      renewTime: text(spec['renewTime']),
    },
  };
}

/** A lease as it was seen to change last. */
export interface ObservedLease {
  readonly lease: SeenLease;
  /** By the clock of this process (monotonic ms). Others' clocks are never read (LE-S3). */
  readonly changedAt: number;
}

/** Where a Lease is, and what it is found by. */
export interface LeaseIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** The object to send: `seen` with another record, or a new Lease. Labels that others gave it are kept. */
export function writeLease(record: LeaseRecord, { namespace, name, labels }: LeaseIdentity, seen: SeenLease | null): object {
  const spec = {
    holderIdentity: record.holder,
    leaseDurationSeconds: Math.ceil(record.durationMs / 1000),
    leaseTransitions: record.transitions,
    ...(record.acquireTime === '' ? {} : { acquireTime: record.acquireTime }),
    ...(record.renewTime === '' ? {} : { renewTime: record.renewTime }),
  };
  if (seen === null) return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { namespace, name, ...(labels && { labels }) }, spec };
  const metadata = mapping(seen.object['metadata']);
  const labelled = labels === undefined ? metadata : { ...metadata, labels: { ...mapping(metadata['labels']), ...labels } };
  return { ...seen.object, metadata: labelled, spec: { ...mapping(seen.object['spec']), ...spec } };
}

/** Unix milliseconds as the API server wants them in a Lease: exactly six digits of a second. */
export function microTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace('Z', '000Z');
}

function mapping(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
