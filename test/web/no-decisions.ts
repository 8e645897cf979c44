import type { Control } from '../../src/model/control.ts';

const NOTHING = { refused: 'nothing waits here' };

/** Of a mirror in which nothing waits for a person. */
export const NO_DECISIONS: Control = {
  clusterName: 'c',
  held: () => [],
  queues: () => [],
  confirm: () => NOTHING,
  parked: async () => [],
  retry: async () => NOTHING,
  drop: async () => NOTHING,
};
