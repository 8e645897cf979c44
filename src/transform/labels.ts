import { fieldOf } from './mask.ts';

/**
 * Makes a parsed object have these labels, in place, over others of the same keys. False when it had them all and is as it was, byte by byte.
 * The copy that kubectl apply leaves in an annotation says what a person applied, and stays as it is.
 */
export function applyLabels(object: unknown, labels: Readonly<Record<string, string>>): boolean {
  const metadata = mappingOf(fieldOf(object, 'metadata'));
  if (metadata === null) return false;
  const own = mappingOf(metadata['labels']);
  const missing = Object.entries(labels).filter(([key, value]) => fieldOf(own, key) !== value);
  if (missing.length === 0) return false;
  const target = own ?? {};
  for (const [key, value] of missing) target[key] = value;
  metadata['labels'] = target;
  return true;
}

function mappingOf(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
}
