/** What an ownerReference says of an owner. The owner's kind and name need no look-up: only what is above the owner does. */
export interface OwnerRef {
  /** `apps/v1`; the version says nothing about which kind it is. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

/** The ownerReference that counts: the controller's, else the first. */
export interface Owner extends OwnerRef {
  /** Whether it controls the object; at most one owner does. */
  readonly isController: boolean;
}
