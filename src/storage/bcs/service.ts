import { Words } from '../../json/text.ts';
import { StorageError } from '../../model/errors.ts';
import type { ObjectKey } from '../../model/key.ts';
import { isRevision, type Revision } from '../../model/revision.ts';
import { judge, type Verdict } from './envelope.ts';
import { type BcsHttpClient, type BcsRequest, NoAnswer } from './http-client.ts';
import { documentPath, type Place } from './routes.ts';
import type { Known } from './settle.ts';
import { members, stringOf } from './spans.ts';

/** One document as the service has it. */
export interface BcsDocument {
  readonly namespace: string;
  readonly name: string;
  readonly apiVersion: string | null;
  readonly kind: string | null;
  readonly uid: string | null;
  readonly revision: Revision | null;
  /** The bytes of `data`. */
  readonly data: Buffer;
  /** Unix ms; 0 when it says none. */
  readonly updatedAt: number;
}

const DOCUMENT = new Words('namespace', 'resourceName', 'updateTime', 'data');
const OBJECT = new Words('apiVersion', 'kind', 'metadata');
const METADATA = new Words('uid', 'resourceVersion');

/** Null when the bytes are no document. */
export function readDocument(bytes: Buffer): BcsDocument | null {
  const [namespace, name, updateTime, data] = members(bytes, DOCUMENT) ?? [];
  if (data === undefined) return null;
  const [apiVersion, kind, metadata] = members(data, OBJECT) ?? [];
  const [uid, revisionText] = (metadata === undefined ? null : members(metadata, METADATA)) ?? [];
  const revision = stringOf(revisionText);
  return {
    namespace: stringOf(namespace) ?? '',
    name: stringOf(name) ?? '',
    apiVersion: stringOf(apiVersion),
    kind: stringOf(kind),
    uid: stringOf(uid),
    revision: revision !== null && isRevision(revision) ? revision : null,
    data,
    updatedAt: Date.parse(stringOf(updateTime) ?? '') || 0,
  };
}

/** The routes of the service, as what they mean. */
export class BcsService {
  readonly #client: BcsHttpClient;

  constructor(client: BcsHttpClient) {
    this.#client = client;
  }

  get address(): string {
    return this.#client.address;
  }

  /** Never rejects. */
  async ask(request: BcsRequest): Promise<Verdict> {
    try {
      return judge(await this.#client.send(request), request.body);
    } catch (cause) {
      if (!(cause instanceof NoAnswer)) throw cause;
      const { late } = cause;
      const heard =
        late === null ? undefined : { verdict: late.reply.then((reply) => (reply === null ? null : judge(reply, request.body))), cut: () => late.cut() };
      return { is: 'failed', error: cause.message, effect: cause.wasSent === 'no' ? 'none' : 'open', late: heard };
    }
  }

  /** The `data` of an answer; null when there is no such document. Throws StorageError. */
  async read(path: string, isList = false): Promise<Buffer | null> {
    const verdict = await this.ask({ method: 'GET', path, isList });
    if (verdict.is === 'done') return verdict.data;
    if (verdict.is === 'absent') return null;
    throw new StorageError(`Cannot read from the storage service at ${this.address}: ${verdict.error}`, { retryable: true });
  }

  /** A page of a list. Throws StorageError. */
  async list(path: string): Promise<Buffer> {
    return (await this.read(path, true)) ?? Buffer.from('[]');
  }

  /** Throws StorageError. */
  async get(cluster: string, place: Place, key: ObjectKey): Promise<BcsDocument | null> {
    const data = await this.read(documentPath(cluster, place, key));
    return data === null ? null : readDocument(data);
  }

  /** Which state of an object is stored; null when none is, or none that could be compared. Throws StorageError. */
  async look(cluster: string, place: Place, key: ObjectKey): Promise<Known | null> {
    const data = await this.read(`${documentPath(cluster, place, key)}?field=data.metadata.uid%2Cdata.metadata.resourceVersion`);
    const found = data === null ? null : readDocument(data);
    return found === null || found.uid === null || found.revision === null ? null : { uid: found.uid, revision: found.revision };
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}
