import { type BcsStorage as Service, type BcsStorageOptions as ServiceOptions, startBcsStorage } from '../../../src/bcsstorage/server.ts';
import type { WriteEntry } from '../../../src/bcsstorage/journal.ts';
import { type Clock, systemClock } from '../../../src/kit/clock.ts';
import { nameOf, namespaceOf } from '../../../src/model/key.ts';
import { apiVersionOf, type Kind } from '../../../src/model/kind.ts';
import type { ObjectMeta } from '../../../src/model/object.ts';
import { BcsReader } from '../../../src/storage/bcs/bcs-reader.ts';
import { BcsStorage } from '../../../src/storage/bcs/bcs-storage.ts';
import { type Connection, lazily } from '../../../src/storage/bcs/connection.ts';
import type { Put, StorageReader, StoredObject, Write } from '../../../src/storage/storage.ts';
import { type key, put } from '../build.ts';

export function connectionTo(origins: readonly string[], more: Partial<Connection> = {}): Connection {
  return { origins, prefix: '', timeoutMs: 5_000, tls: { caFile: null, certFile: null, keyFile: null }, tokenFile: null, clock: systemClock, ...more };
}

export interface Rig {
  readonly service: Service;
  /** Every write that the service accepted, in the order of its commits. */
  readonly journal: WriteEntry[];
  readonly storage: BcsStorage;
  readonly reader: StorageReader;
  /** One more engine on the same service, as the next process would have it. Opened. */
  again(more?: Partial<Connection>): Promise<BcsStorage>;
  /** The same, not opened. */
  make(more?: Partial<Connection>): BcsStorage;
  readonly remove: () => Promise<void>;
}

/** The real service in this process, and an opened engine on it for the cluster `prod`. */
export async function bcsRig(
  options: { readonly service?: ServiceOptions; readonly connection?: Partial<Connection>; readonly clock?: Clock } = {},
): Promise<Rig> {
  const journal: WriteEntry[] = [];
  const service = await startBcsStorage({ ...options.service, onWrite: (entry) => void journal.push(entry) });
  const opened: BcsStorage[] = [];
  const make = (more: Partial<Connection> = {}): BcsStorage => {
    const storage = new BcsStorage({ ...connectionTo([service.url], { ...options.connection, ...more }), cluster: 'prod', log: null });
    opened.push(storage);
    return storage;
  };
  const again = async (more?: Partial<Connection>): Promise<BcsStorage> => {
    const storage = make(more);
    await storage.open();
    return storage;
  };
  const storage = await again();
  const { service: connected, close } = lazily(connectionTo([service.url]));
  const reader = new BcsReader({ service: connected, clock: systemClock, noEvents: null, onClose: close });
  return {
    service,
    journal,
    storage,
    reader,
    again,
    make,
    remove: async () => {
      for (const one of opened) await one.close();
      await reader.close();
      await service.close();
    },
  };
}

/** An object as a cluster has it, with its metadata and with `more` beside. */
export function objectOf(kind: Kind, { key: name, uid, revision }: ObjectMeta, more = ''): string {
  const namespace = namespaceOf(name);
  const metadata = { name: nameOf(name), ...(namespace === '' ? {} : { namespace }), uid, resourceVersion: revision };
  return `{"apiVersion":${JSON.stringify(apiVersionOf(kind))},"kind":${JSON.stringify(kind.kind)},"metadata":${JSON.stringify(metadata)}${more}}`;
}

/** A put of a whole object. */
export function putObject(name: string, revision: string, more: Parameters<typeof put>[2] & { readonly spec?: string } = {}): Put {
  const { spec = '{}', ...rest } = more;
  const plain = put(name, revision, rest);
  return { ...plain, body: Buffer.from(objectOf(plain.kind, plain.meta, `,"spec":${spec}`)) };
}

export type Key = ReturnType<typeof key>;

const PLAIN = ',"body":';
const BASE64 = ',"base64":"';

/**
 * The contract suite writes bodies that no cluster has: without metadata, which the service is asked for, and some that are no JSON, which it does not take. Here each
 * stands inside an object with its metadata, as it is when it is JSON.
 */
export function wrapped(write: Write): Write {
  if (write.type === 'delete' || write.isChecked === false) return write.type === 'put' ? wrappedUnchecked(write) : write;
  return { ...write, body: Buffer.from(objectOf(write.kind, write.meta, wrapping(Buffer.from(write.body)))) };
}

/** A body that is to be refused stays as it is. */
function wrappedUnchecked(write: Put): Put {
  const text = Buffer.from(write.body).toString();
  return isJson(text) ? { ...write, body: Buffer.from(objectOf(write.kind, write.meta, PLAIN + text)) } : write;
}

function wrapping(body: Buffer): string {
  const text = body.toString();
  return isJson(text) && Buffer.from(text).equals(body) ? PLAIN + text : `${BASE64}${body.toString('base64')}"`;
}

export function unwrapped(row: StoredObject): StoredObject {
  const text = Buffer.from(row.body).toString();
  const plain = text.indexOf(PLAIN);
  const base64 = text.indexOf(BASE64);
  if (plain !== -1 && (base64 === -1 || plain < base64)) return { ...row, body: Buffer.from(text.slice(plain + PLAIN.length, -1)) };
  return { ...row, body: Buffer.from(text.slice(base64 + BASE64.length, -2), 'base64') };
}

function isJson(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object';
  } catch {
    return false;
  }
}
