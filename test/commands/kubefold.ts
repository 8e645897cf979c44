import { join } from 'node:path';
import { type Child, type Exit, run, spawn, type SpawnOptions } from '../support/spawn.ts';
import { ROOT } from '../support/readme.ts';

/** The program, as `node MAIN …` runs it. */
export const MAIN = join(ROOT, 'src/main.ts');

/** No kubeconfig of the machine, no pod, no proxy: a test says itself what the program finds. */
const CLEAN = {
  KUBECONFIG: undefined,
  KUBERNETES_SERVICE_HOST: undefined,
  HTTPS_PROXY: undefined,
  HTTP_PROXY: undefined,
  HOME: '/nonexistent',
  NODE_EXTRA_CA_CERTS: undefined,
};

/** Runs the real program to its end. */
export function kubefold(args: readonly string[], options: SpawnOptions = {}): Promise<Exit> {
  return run(process.execPath, [MAIN, ...args], { ...options, env: { ...CLEAN, ...options.env } });
}

/** Starts the real program. */
export function startKubefold(args: readonly string[], options: SpawnOptions = {}): Child {
  return spawn(process.execPath, [MAIN, ...args], { ...options, env: { ...CLEAN, ...options.env } });
}
