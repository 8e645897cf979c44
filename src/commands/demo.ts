import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { App } from '../app.ts';
import type { Command } from './command.ts';
import { LOAD_OPTIONS, startLoadedHollow } from './hollow.ts';
import { MIRROR_OPTIONS, mirrorSession } from './session.ts';

export const demo: Command = {
  name: 'demo',
  summary: 'Mirrors a simulated cluster with churn and shows it live; no cluster needed.',
  usage: '',
  description: `
Starts a simulated API server, mirrors it into ./kubefold.db as cluster "demo", and shows the status page.
Everything but the cluster is the real thing. Stop it with Ctrl-C.`,
  options: { ...LOAD_OPTIONS, ...MIRROR_OPTIONS, once: { type: 'boolean', help: 'Ends when the first sync is durable.' } },
  positionals: { min: 0, max: 0 },
  async run(parsed, context) {
    const { hollow, churn } = await startLoadedHollow(parsed, 0);
    const folder = await mkdtemp(join(tmpdir(), 'kubefold-demo-'));
    const kubeconfig = join(folder, 'kubeconfig');
    await writeFile(kubeconfig, hollow.kubeconfig(), { mode: 0o600 });
    const storage = parsed.text('storage') ?? 'sqlite:./kubefold.db';
    const greeting = (app: App): string => `
  simulated cluster   ${hollow.url}   try: kubectl --server ${hollow.url} get pods -A
  the copy            ${storage}   try: npm run -s kubefold -- get pods -A --cluster-name ${app.clusterName}
  is it right?        npm run -s kubefold -- verify --kubeconfig ${kubeconfig} --cluster-name ${app.clusterName}
  status page         ${app.url ?? 'off'}

`;
    try {
      const clusterName = parsed.text('cluster-name') ?? 'demo';
      return await mirrorSession(parsed, context, { once: parsed.flag('once'), kubeconfig, flags: { clusterName }, greeting });
    } finally {
      churn?.stop();
      await hollow.close();
      await rm(folder, { recursive: true, force: true });
    }
  },
};
