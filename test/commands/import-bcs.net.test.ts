import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { Copy } from '../mirror/copy.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { kubefold, startKubefold } from './kubefold.ts';

const SHIPPED = fileURLToPath(new URL('../config/bcs/', import.meta.url));
const FILTER = {
  k8sResourceWhiteList: ['v1'],
  apiResourceException: [{ groupVersion: 'v1', resourceKinds: ['Secret', 'Event', 'Node'] }],
  resourceNamespaceFilters: ['kube-system'],
};

let dir: TempDir;
beforeEach(() => {
  dir = tempDir('import-bcs');
  writeFileSync(
    dir.file('main.json'),
    JSON.stringify({ default: { clusterID: 'BCS-K8S-1' }, filterConfigPath: 'filter.json', k8s: { kubeconfig: dir.file('kubeconfig') } }),
  );
  writeFileSync(dir.file('filter.json'), JSON.stringify(FILTER));
});
afterEach(() => dir.remove());

describe('kubefold config import-bcs', () => {
  test('prints a YAML that passes config check, and says on standard error what differs', async () => {
    const done = await kubefold(['config', 'import-bcs', `${SHIPPED}bcs-k8s-watch.json`, `${SHIPPED}filter.json`]);
    expect(done.code).toBe(0);
    expect(done.stderr).toMatch(/^not carried over: bcs\.tls\.password: /m);
    expect(done.stderr).toMatch(/^not quite the same: bcs\.podQueueNum: /m);
    writeFileSync(dir.file('kubefold.yaml'), done.stdout);
    expect(await kubefold(['config', 'check', dir.file('kubefold.yaml')])).toMatchObject({ code: 0, stderr: '' });
  });

  test('finds the filter file that the configuration names, beside it', async () => {
    const done = await kubefold(['config', 'import-bcs', `${SHIPPED}bcs-k8s-watch.json`], { cwd: dir.path });
    expect(done.code).toBe(0);
    expect(done.stdout).toContain('v1/*');
  });

  test.each<[string, readonly string[], RegExp]>([
    ['no file', [], /import-bcs needs the files of bcs-k8s-watch: kubefold config import-bcs bcs-k8s-watch\.json filter\.json/],
    ['a file that is not there', ['gone.json'], /Cannot read gone\.json: there is no such file\. Name a readable bcs-k8s-watch\.json/],
    [
      'a filter file that is not there (weakness 17)',
      ['main.json', 'gone.json'],
      /Cannot read the filter file gone\.json: there is no such file\. Name a readable filter\.json with a second argument/,
    ],
    [
      'a filter file that the configuration names and that is not there',
      ['lost.json'],
      /the filter file \/no\/filter\.json \(filterConfigPath of lost\.json\): there is no such file/,
    ],
    ['no filter file at all', ['none.json'], /none\.json names no filter file \(filterConfigPath\)/],
    ['a storage that is not named', ['main.json'], /main\.json:1:1: bcs\.custom-storage-endpoints must name the storage service/],
    ['broken JSON', ['broken.json', 'filter.json'], /broken\.json:2:3: not valid JSON: expected "," or a closing bracket/],
  ])('refuses %s', async (_, args, message) => {
    writeFileSync(dir.file('lost.json'), '{"filterConfigPath": "/no/filter.json"}');
    writeFileSync(dir.file('none.json'), '{"default": {"clusterID": "x"}}');
    writeFileSync(dir.file('broken.json'), '{"default": {}\n  "bcs": "geheim"}');
    const done = await kubefold(['config', 'import-bcs', ...args], { cwd: dir.path });
    expect(done).toMatchObject({ code: 2, stdout: '' });
    expect(done.stderr).toMatch(message);
    expect(done.stderr).not.toMatch(/geheim|^\s+at /m);
  });

  test('an old file given to config check is sent the right way', async () => {
    const done = await kubefold(['config', 'check', 'main.json'], { cwd: dir.path });
    expect(done.code).toBe(2);
    expect(done.stderr).toMatch(/main\.json is a configuration of bcs-k8s-watch\. Convert it: kubefold config import-bcs main\.json filter\.json/);
  });
});

describe('kubefold run with the two old files', () => {
  let hollow: Hollow;
  beforeEach(async () => {
    hollow = await startHollow();
    seedCluster(hollow, { pods: 20, nodes: 2, namespaces: 2, bytes: 500, apps: true });
    hollow.create('configmaps', { metadata: { name: 'kept', namespace: 'default' } });
    hollow.create('configmaps', { metadata: { name: 'dropped', namespace: 'kube-system' } });
    writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
  });
  afterEach(() => hollow.close());

  const run = (...more: string[]): readonly string[] => [
    'run',
    '--config',
    'main.json',
    '--storage',
    `sqlite:${dir.file('copy.db')}`,
    '--log-format',
    'json',
    ...more,
  ];
  const rows = (kind: string): readonly string[] => {
    using copy = new Copy(dir.file('copy.db'));
    return copy.rows(kind).map(({ key }) => key);
  };

  test('mirrors what they say from the cluster they name, and says what it did with them', async () => {
    const done = await kubefold(run('--filter', 'filter.json', '--listen', 'off', '--once'), { cwd: dir.path });
    expect(done.stderr).toMatch(/the configuration is one of bcs-k8s-watch: converted/);
    expect(done.stderr).toMatch(/"key":"metric_port"/);
    expect(done.code).toBe(0);
    expect(rows('configmaps')).toContain('default/kept');
    expect(rows('configmaps')).not.toContain('kube-system/dropped');
    expect([rows('pods').length, rows('nodes').length, rows('deployments.apps').length]).toEqual([20, 0, 0]);
  });

  test('follows both: a changed filter file applies, a broken one is refused and the one before it stays', async () => {
    await using child = startKubefold(run('--listen', '127.0.0.1:0'), { cwd: dir.path });
    await child.printed(/first sync complete/, { on: 'stderr' });
    expect(rows('configmaps')).not.toContain('kube-system/dropped');
    writeFileSync(dir.file('filter.json'), '{"k8sResourceWhiteList": [');
    await child.printed(/filter\.json:1:27: not valid JSON.*a new configuration is refused as a whole/, { on: 'stderr' });
    writeFileSync(dir.file('filter.json'), JSON.stringify({ ...FILTER, resourceNamespaceFilters: [] }));
    await child.printed(/resources.*configuration applied/, { on: 'stderr' });
    await until('the row that is wanted now', () => rows('configmaps').includes('kube-system/dropped'));
    expect((await child.stop()).code).toBe(0);
  });

  test.each<[string, readonly string[], RegExp]>([
    ['a filter without an old configuration', ['run', '--filter', 'filter.json'], /--filter belongs to a bcs-k8s-watch\.json: name that with --config/],
    [
      'a filter for a configuration of ours',
      ['run', '--config', 'ours.yaml', '--filter', 'filter.json'],
      /--filter belongs to a configuration of bcs-k8s-watch, and ours\.yaml is none/,
    ],
    [
      'a filter file that is not there',
      ['run', '--config', 'main.json', '--filter', 'gone.json'],
      /Cannot read the filter file gone\.json: there is no such file\. Name a readable filter\.json with --filter FILE/,
    ],
    ['a master without a kubeconfig', ['run', '--config', 'master.json', '--filter', 'filter.json'], /k8s\.master is "http:\/\/m:8080".*--kubeconfig/],
  ])('refuses %s', async (_, args, message) => {
    writeFileSync(dir.file('ours.yaml'), 'cluster: { name: x }\n');
    const main = JSON.parse(readFileSync(`${SHIPPED}bcs-k8s-watch.json`, 'utf8')) as object;
    writeFileSync(dir.file('master.json'), JSON.stringify({ ...main, k8s: { master: 'http://m:8080' } }));
    const done = await kubefold(args, { cwd: dir.path });
    expect(done.code).toBe(2);
    expect(done.stderr).toMatch(message);
  });
});
