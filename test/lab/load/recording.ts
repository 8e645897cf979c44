/**
 * What a watch of a real API server sent of one pod's whole life, by type. Recorded with kube-apiserver, scheduler, controllers and kwok's nodes
 * (`kwok`), and with a kubelet's writes made one by one (`kubelet`); test/lab/pod-life.cluster.test.ts records anew and compares.
 */
export const RECORDED = {
  /** Created, bound, accepted, running and ready in one status, marked as deleted, no grace left, removed: kwok leaves out what a kubelet does in between. */
  kwok: { ADDED: 1, MODIFIED: 5, DELETED: 1 },
  /** With the sandbox, running before it is ready, and the containers' end. */
  kubelet: { ADDED: 1, MODIFIED: 8, DELETED: 1 },
} as const;
