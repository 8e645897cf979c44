/** The part that is used here; the package has no types of its own. */
declare module 'node-zookeeper-client' {
  import type { EventEmitter } from 'node:events';
  import type { Socket } from 'node:net';

  /** `code` is one of Exception. */
  export interface ZookeeperError extends Error {
    readonly code: number;
  }

  /** What the package keeps to itself; the version is pinned. */
  interface ConnectionManager {
    readonly socket?: Socket;
    onSocketData(data: Buffer): void;
    onSocketError(error: NodeJS.ErrnoException): void;
  }

  export interface Client extends EventEmitter<{ connected: []; disconnected: []; expired: []; authenticationFailed: [] }> {
    readonly connectionManager: ConnectionManager;
    connect(): void;
    close(): void;
    addAuthInfo(scheme: string, auth: Buffer): void;
    getChildren(path: string, watcher: () => void, done: (error: ZookeeperError | null, children?: readonly string[]) => void): void;
    getData(path: string, watcher: () => void, done: (error: ZookeeperError | null, data?: Buffer) => void): void;
    /** For tests. */
    create(path: string, data: Buffer, acls: readonly unknown[], mode: number, done: (error: ZookeeperError | null, path?: string) => void): void;
    mkdirp(path: string, done: (error: ZookeeperError | null) => void): void;
    setData(path: string, data: Buffer, done: (error: ZookeeperError | null) => void): void;
    remove(path: string, done: (error: ZookeeperError | null) => void): void;
    getSessionId(): Buffer;
    getSessionPassword(): Buffer;
  }

  interface ZookeeperModule {
    createClient(
      servers: string,
      options: { readonly sessionTimeout: number; readonly spinDelay: number; readonly sessionId?: Buffer; readonly sessionPassword?: Buffer },
    ): Client;
    readonly Exception: { readonly NO_NODE: number; readonly NO_AUTH: number };
    readonly CreateMode: { readonly PERSISTENT: number; readonly PERSISTENT_SEQUENTIAL: number; readonly EPHEMERAL_SEQUENTIAL: number };
    readonly ACL: { readonly CREATOR_ALL_ACL: readonly unknown[]; readonly OPEN_ACL_UNSAFE: readonly unknown[] };
  }

  const zookeeper: ZookeeperModule;
  export default zookeeper;
}
