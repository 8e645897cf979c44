import { hash } from 'node:crypto';

const OPEN = Buffer.from('{"data":');
const CLOSE = Buffer.from('}');

/** The body of a PUT: the stored bytes as they are, never encoded again. A copy, so that the caller's bytes are free when the call ends. */
export function documentBody(object: Uint8Array): Buffer {
  return Buffer.concat([OPEN, object, CLOSE]);
}

/** Go's zero time as Unix seconds: what the old program sends for an Event without any time. */
const GO_ZERO_SECONDS = -62_135_596_800;

/**
 * The body of `PUT /events` (specs/bcs-k8s-watch.md section 2.4): some fields taken out of the Event, and the Event itself as it is. Keys are in the order in
 * which the old program encodes them. Throws SyntaxError when the bytes are not JSON.
 */
export function eventBody(cluster: string, object: Uint8Array): Buffer {
  const event = recordOf(JSON.parse(textOf(object)));
  const involved = recordOf(event['involvedObject']);
  const fields = {
    id: '',
    env: 'k8s',
    kind: text(involved['kind']),
    level: text(event['type']),
    component: text(recordOf(event['source'])['component']),
    type: text(event['reason']),
    describe: text(event['message']),
    clusterId: cluster,
    eventTime: timeOf(event),
    extraInfo: { namespace: text(involved['namespace']), name: text(involved['name']), kind: text(involved['kind']) },
  };
  return Buffer.concat([Buffer.from(`${JSON.stringify(fields).slice(0, -1)},"data":`), object, CLOSE]);
}

/** When an Event happened, in Unix seconds; Go's zero time when it says nothing of it. Throws SyntaxError when the bytes are not JSON. */
export function eventSeconds(object: Uint8Array): number {
  return timeOf(recordOf(JSON.parse(textOf(object))));
}

function timeOf(event: Readonly<Record<string, unknown>>): number {
  const times = [event['lastTimestamp'], event['firstTimestamp'], event['eventTime'], recordOf(event['metadata'])['creationTimestamp']];
  return times.map(secondsOf).find((seconds) => seconds !== null) ?? GO_ZERO_SECONDS;
}

/** Tells two bodies of one object apart. */
export function bodyHash(object: Uint8Array): string {
  return hash('sha256', object, 'base64url').slice(0, 22);
}

/** Whole seconds, cut towards the past as Go does; null for a time that is missing, null or Go's zero. */
function secondsOf(value: unknown): number | null {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  const seconds = Math.floor(ms / 1000);
  return Number.isNaN(ms) || seconds === GO_ZERO_SECONDS ? null : seconds;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}
