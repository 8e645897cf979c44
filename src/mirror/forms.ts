import { hash } from 'node:crypto';
import type { KindPlan } from '../config/plan.ts';
import { labelPairs } from '../config/rules.ts';
import type { Logger } from '../kit/log.ts';
import { namespaceOf, type ObjectKey } from '../model/key.ts';
import type { KindId, Scope } from '../model/kind.ts';
import type { ScopeRecord, Storage } from '../storage/storage.ts';

/**
 * What a plan makes of the content of an object, as a hash: by another one the same object gives other bytes, and every row is written again.
 * The key by which Secrets are hashed is part of it, itself as a hash.
 */
export function storedForm(
  { setLabels, mask, remove, annotateWorkload, secrets, kind }: Pick<KindPlan, 'setLabels' | 'mask' | 'remove' | 'annotateWorkload' | 'secrets' | 'kind'>,
  secretKey: Uint8Array,
): string {
  const removed = remove.map(({ path, namespaces }) => [path.text, namespaces?.map(({ text }) => text) ?? null]);
  const key = secrets === 'hashed' ? [hash('sha256', secretKey, 'hex')] : [];
  // Only when there are any: rows from before there was such a rule keep their form.
  const labels = Object.keys(setLabels).length > 0 ? [{ labels: labelPairs(setLabels) }] : [];
  const workload = annotateWorkload ? ['workload'] : [];
  return hash('sha256', JSON.stringify([mask.map(({ text }) => text), removed, secrets, kind.version, ...key, ...labels, ...workload]), 'hex').slice(0, 32);
}

/**
 * Which rows are to be written again though their object has not changed: all that no record says to be of the form that the plan asks for.
 * From before the first of them is written until after the last (see ScopeState.record) the record says that there may be two forms. So an end in
 * between begins again, also when the plan has changed once more, or back. Throws when that could not be recorded.
 */
export async function readForms(options: {
  readonly storage: Storage;
  readonly kind: KindId;
  readonly scopes: readonly Scope[];
  readonly form: string;
  readonly log: Logger;
}): Promise<(key: ObjectKey) => 'keep' | 'rewrite'> {
  const { storage, kind, scopes, form, log } = options;
  const read = async (): Promise<readonly ScopeRecord[]> => (await storage.scopes()).filter((record) => record.kind === kind);
  const isOther = ({ scope, stored }: ScopeRecord): boolean => stored !== null && stored !== form && scopes.includes(scope);
  let records = await read();
  const others = records.filter(isOther);
  if (others.length > 0) {
    log.info('what is stored of objects has changed, the rows are written anew');
    const mixed = others.map((record) => ({ ...record, stored: null }));
    await storage.write([], mixed);
    // Records have no outcome that would tell whether they were taken.
    records = await read();
    if (records.some(isOther))
      throw new Error(
        `Cannot begin to rewrite the rows of ${kind}: storage did not take the record that rows of two forms are there, and without it an end in between would be forgotten`,
      );
  }
  const forms = new Map(records.map(({ scope, stored }) => [scope, stored]));
  return (key) => {
    // Both only while the scopes of a kind are being changed.
    const known = [forms.get(''), forms.get(namespaceOf(key))].filter((stored) => stored !== undefined);
    return known.length > 0 && known.every((stored) => stored === form) ? 'keep' : 'rewrite';
  };
}
