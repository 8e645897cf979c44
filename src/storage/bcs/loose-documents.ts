import { StorageError } from '../../model/errors.ts';
import type { ObjectKey } from '../../model/key.ts';
import { documentBody } from './documents.ts';
import { documentPath } from './routes.ts';
import type { BcsService } from './service.ts';

/**
 * Cluster-scoped documents that are no objects of the cluster, so that nothing of the copy knows them: no guard, no record, no audit. The last that is written
 * stays. Each type has one writer.
 */
export class LooseDocuments {
  readonly #options: { readonly cluster: string; readonly service: () => Promise<BcsService>; readonly close: () => Promise<void> };

  constructor(options: { readonly cluster: string; readonly service: () => Promise<BcsService>; readonly close: () => Promise<void> }) {
    this.#options = options;
  }

  /** `data` is JSON, and stored as it is. Throws StorageError. */
  async put(type: string, name: string, data: Buffer): Promise<void> {
    const service = await this.#options.service();
    const path = documentPath(this.#options.cluster, { type, namespaced: false }, name as ObjectKey);
    const verdict = await service.ask({ method: 'PUT', path, body: documentBody(data) });
    if (verdict.is === 'done') return;
    const error = verdict.is === 'absent' ? 'it knows no such document' : verdict.error;
    throw new StorageError(`Cannot write ${type} to the storage service at ${service.address}: ${error}`, { retryable: verdict.is === 'failed' });
  }

  /** Cuts what is under way. */
  async close(): Promise<void> {
    await this.#options.close();
  }
}
