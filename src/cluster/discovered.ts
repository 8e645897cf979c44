import type { Kind } from '../model/kind.ts';

/** A resource as a discovery document describes it, whatever its verbs. */
export interface DiscoveredResource extends Kind {
  readonly verbs: readonly string[];
}

export interface DiscoveredVersion {
  readonly version: string;
  readonly resources: readonly DiscoveredResource[];
  /** Why nothing may be concluded from what is missing here; null when the document is current. */
  readonly broken: string | null;
}

/** One API group; the versions are in the server's order of preference. */
export interface DiscoveredGroup {
  /** `''` for the core group. */
  readonly name: string;
  readonly versions: readonly DiscoveredVersion[];
}

export function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

export function records(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(record) : [];
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
