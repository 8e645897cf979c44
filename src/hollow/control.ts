import type { FaultRule } from './faults.ts';

/** The body of `POST /hollow/faults`: the same switches that a Hollow has in process. Applied in this order. */
export interface ControlBody {
  /** Everything off. */
  readonly clear?: boolean;
  readonly add?: readonly FaultRule[];
  /** Kinds that are answered with 403. */
  readonly forbid?: readonly string[];
  readonly discovery?: { readonly aggregated?: boolean; readonly broken?: readonly string[] };
  /** A kind, or '*'. */
  readonly freeze?: string;
  readonly compact?: { readonly kind?: string };
  readonly cutWatches?: { readonly how: 'reset' | 'end'; readonly kind?: string };
  readonly restart?: { readonly wipe?: boolean; readonly revision?: number };
}

export const CONTROL_KEYS: ReadonlySet<string> = new Set(['clear', 'add', 'forbid', 'discovery', 'freeze', 'compact', 'cutWatches', 'restart']);
