import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseCommandLine } from '../../src/commands/command.ts';
import { createGet } from '../../src/commands/get.ts';
import { UsageError } from '../../src/model/errors.ts';
import type { Kind } from '../../src/model/kind.ts';
import { objectKey } from '../../src/model/key.ts';
import { FORMATS } from '../../src/read/output.ts';
import { openStorage } from '../../src/storage/open.ts';
import type { Put } from '../../src/storage/storage.ts';
import { DEPLOYMENTS, NODES, PODS, scope } from '../storage/build.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { tempDir } from '../support/temp-dir.ts';

const NOW = Date.UTC(2026, 0, 1);
const clock = new ManualClock({ wallMs: NOW });
const get = createGet(clock);
const dir = tempDir('get');
const URL = `sqlite:${dir.file('kubefold.db')}`;

const custom = (group: string, resource: string, kind: string): Kind => ({ ...PODS, group, resource, kind });
const WIDGETS = custom('demo.example.com', 'widgets', 'Widget');
const CRDS: Kind = { ...custom('apiextensions.k8s.io', 'customresourcedefinitions', 'CustomResourceDefinition'), namespaced: false };
const CONFIG_MAPS = custom('', 'configmaps', 'ConfigMap');

function object(kind: Kind, key: string, rest: object = {}, labels: object = {}): Put {
  const [name = '', namespace = ''] = key.split('/').toReversed();
  const metadata = { name, ...(namespace === '' ? {} : { namespace }), labels, uid: 'u1', resourceVersion: '5', creationTimestamp: '2025-12-31T23:00:00Z' };
  const body = JSON.stringify({ kind: kind.kind, apiVersion: kind.group === '' ? 'v1' : `${kind.group}/v1`, metadata, ...rest });
  return { type: 'put', kind, meta: { key: objectKey(namespace, name), uid: 'u1', revision: '5' }, body: Buffer.from(body) };
}

const running = {
  spec: { nodeName: 'n1', containers: [{ name: 'a' }] },
  status: { phase: 'Running', podIP: '10.0.0.1', containerStatuses: [{ name: 'a', ready: true, restartCount: 0, state: { running: {} } }] },
};
const crd = (group: string): Put =>
  object(CRDS, `widgets.${group}`, {
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'widgets', singular: 'widget', kind: 'Widget', shortNames: ['wd'] },
      versions: [
        {
          name: 'v1',
          storage: true,
          additionalPrinterColumns: [
            { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
            { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
            { name: 'Secret Sauce', type: 'string', jsonPath: '.spec.sauce', priority: 1 },
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
        },
      ],
    },
  });

const heard = { heardAt: NOW - 2_000 };

async function fill(cluster: string, writes: readonly Put[], scopes: Parameters<Awaited<ReturnType<typeof openStorage>>['write']>[1]): Promise<void> {
  const storage = openStorage(URL, { cluster, clock, lingerMs: 0 });
  await storage.open();
  const outcomes = await storage.write(writes, scopes);
  expect(outcomes.map(({ kind }) => kind)).toEqual(writes.map(() => 'written'));
  await storage.close();
}

beforeAll(async () => {
  await fill(
    'prod',
    [
      object(PODS, 'default/web-0', running, { app: 'web' }),
      object(PODS, 'default/web-1', { spec: { containers: [{ name: 'a' }] }, status: { phase: 'Pending' } }, { app: 'web' }),
      object(PODS, 'shop/db-0', running, { app: 'db' }),
      object(DEPLOYMENTS, 'default/web', { spec: { replicas: 2 }, status: { readyReplicas: 1, updatedReplicas: 2, availableReplicas: 1 } }),
      object(NODES, 'n1', { status: { conditions: [{ type: 'Ready', status: 'True' }], nodeInfo: { kubeletVersion: 'v1.36.3' } } }),
      crd('demo.example.com'),
      object(WIDGETS, 'default/red', { spec: { size: 3, sauce: 'hot' }, status: { conditions: [{ type: 'Ready', status: 'True' }] } }),
      object(WIDGETS, 'default/bare'),
      object(CONFIG_MAPS, 'team/settings', { data: { a: 'yes' }, big: 'BIG' }),
    ],
    [
      scope('12345', heard),
      scope('7', { ...heard, kind: 'deployments.apps' }),
      scope('8', { ...heard, kind: 'nodes' }),
      scope(null, { ...heard, kind: 'widgets.demo.example.com', complete: false }),
      scope('9', { ...heard, kind: 'customresourcedefinitions.apiextensions.k8s.io' }),
      scope('10', { ...heard, kind: 'configmaps', scope: 'team' }),
      scope('11', { ...heard, kind: 'services', objects: 0 }),
    ],
  );
});

afterAll(() => dir.remove());

async function run(...args: string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', ''];
  const storage = args.includes('--storage') ? [] : ['--storage', URL];
  const code = await get.run(parseCommandLine(get, [...args, ...storage]), {
    stdout: (text) => {
      out += text;
    },
    stderr: (text) => {
      err += text;
    },
    env: {},
    home: '/',
    isTerminal: false,
    ask: null,
    signal: new AbortController().signal,
  });
  return { code, out, err };
}

const lines = (...texts: string[]): string => texts.map((text) => `${text}\n`).join('');
const FRESH = 'as of 2s ago, complete to 12345\n';

describe('tables', () => {
  test('pods of the namespace default, with how old the answer is on standard error', async () => {
    expect(await run('pods')).toEqual({
      code: 0,
      out: lines('NAME    READY   STATUS    RESTARTS   AGE', 'web-0   1/1     Running   0          60m', 'web-1   0/1     Pending   0          60m'),
      err: FRESH,
    });
  });

  test('every namespace, by label, without titles', async () => {
    expect((await run('po', '-A', '-l', 'app in (db)', '--no-headers')).out).toBe('shop   db-0   1/1   Running   0     60m\n');
    expect((await run('po', '-A')).out).toMatch(/^NAMESPACE {3}NAME .*\ndefault {5}web-0/);
  });

  test('by field', async () => {
    expect((await run('po', '-A', '--field-selector', 'status.phase=Pending', '-o', 'name')).out).toBe('pod/web-1\n');
  });

  test('wide', async () => {
    expect((await run('po', '-n', 'shop', '-o', 'wide')).out).toMatch(
      /AGE +IP +NODE +NOMINATED NODE +READINESS GATES\ndb-0 .* 10\.0\.0\.1 +n1 +<none> +<none>\n$/,
    );
  });

  test('a cluster-scoped kind takes no namespace', async () => {
    for (const args of [['no'], ['no', '-n', 'shop'], ['no', '-A'], ['node', 'n1']]) {
      expect((await run(...args)).out, args.join(' ')).toBe(lines('NAME   STATUS   ROLES    AGE   VERSION', 'n1     Ready    <none>   60m   v1.36.3'));
    }
  });

  test('several kinds, each with its own table and its kind before the names', async () => {
    const { out, err } = await run('pod,deploy,svc');
    expect(out).toMatch(/^NAME +READY .*\npod\/web-0 .*\npod\/web-1 .*\n\nNAME +READY .*\ndeployment\.apps\/web {3}1\/2 {5}2 .*\n$/);
    expect(err).toBe(lines('pods: as of 2s ago, complete to 12345', 'deployments.apps: as of 2s ago, complete to 7', 'services: as of 2s ago, complete to 11'));
    expect((await run('all', '-o', 'name')).out).toBe(lines('pod/web-0', 'pod/web-1', 'deployment.apps/web'));
  });

  test("a custom kind has its CRD's columns, and says that it is not complete", async () => {
    const expected = lines('NAME   SIZE   READY   AGE', 'bare                  60m', 'red    3      True    60m');
    for (const name of ['widgets', 'Widget', 'wd', 'widgets.demo.example.com']) expect((await run(name)).out, name).toBe(expected);
    expect((await run('wd')).err).toBe('warning: as of 2s ago, not complete yet: objects may be missing\n');
    expect((await run('wd', 'red', '-o', 'wide')).out).toMatch(/SECRET SAUCE +AGE\nred +3 +True +hot +60m/);
  });
});

describe('other formats', () => {
  test('names', async () => {
    expect((await run('deploy,wd', '-o', 'name')).out).toBe(lines('deployment.apps/web', 'widget.demo.example.com/bare', 'widget.demo.example.com/red'));
  });

  test('one object is printed as it is stored', async () => {
    const { out } = await run('pod/web-0', '-o', 'json');
    const body = object(PODS, 'default/web-0', running, { app: 'web' }).body;
    expect(out).toBe(`${JSON.stringify(JSON.parse(Buffer.from(body).toString()), null, 4)}\n`);
    expect(parse((await run('pod', 'web-0', '-o', 'yaml')).out)).toEqual(JSON.parse(Buffer.from(body).toString()));
  });

  test('several objects are a List, and none is an empty one', async () => {
    for (const format of ['json', 'yaml']) {
      expect(parse((await run('pods', '-o', format)).out), format).toMatchObject({
        kind: 'List',
        apiVersion: 'v1',
        items: [{ metadata: { name: 'web-0' } }, { metadata: { name: 'web-1' } }],
      });
      expect(parse((await run('pods', '-n', 'nowhere', '-o', format)).out), format).toEqual({
        kind: 'List',
        apiVersion: 'v1',
        items: [],
        metadata: { resourceVersion: '' },
      });
    }
    const json = (await run('pods', '-A', '-o', 'json')).out;
    expect(json).toBe(`${JSON.stringify(JSON.parse(json), null, 4)}\n`);
  });

  test('YAML quotes what older readers would take for something else', async () => {
    expect((await run('cm', 'settings', '-n', 'team', '-o', 'yaml')).out).toContain('a: "yes"');
  });
});

describe('what is not there', () => {
  test('no objects: said on standard error, exit 0', async () => {
    expect(await run('pods', '-n', 'nowhere')).toEqual({ code: 0, out: '', err: `No resources found in nowhere namespace.\n${FRESH}` });
    expect((await run('svc', '-A')).err).toMatch(/^No resources found\.\n/);
  });

  test('no object of a name: exit 1, and it is the copy that does not have it', async () => {
    expect(await run('pods', 'web-0', 'nope')).toMatchObject({
      code: 1,
      err: `Error (NotFound): pods "nope" not found in the copy of cluster "prod"\n${FRESH}`,
    });
    expect((await run('wd', 'nope')).err).toMatch(/^Error \(NotFound\): widgets\.demo\.example\.com "nope" not found/);
  });

  test('a kind that is not mirrored: exit 1, with what is', async () => {
    expect(await run('secrets')).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(
        /^Error \(NotMirrored\): secrets are not in the copy of cluster "prod"\. Secrets are mirrored only when .* The copy holds: .*pods/,
      ),
    });
  });

  test('a namespace that is not mirrored: exit 1; all namespaces: a warning', async () => {
    expect(await run('cm')).toMatchObject({
      code: 1,
      err: 'Error (NotMirrored): configmaps of cluster "prod": the namespace is not mirrored, only namespace team\n',
    });
    expect(await run('cm', '-A')).toMatchObject({ code: 0, err: 'warning: as of 2s ago, complete to 10, but only namespace team is mirrored\n' });
  });

  test('an object that storage refused: told in the closing line of every format, beside rows that stay machine-readable', async () => {
    const url = `sqlite:${dir.file('refusing.db')}`;
    const storage = openStorage(url, { cluster: 'refusing', clock, lingerMs: 0 });
    await storage.open();
    const broken = { ...object(PODS, 'shop/big'), body: Buffer.from('{"no":json}') };
    const outcomes = await storage.write([object(PODS, 'shop/small', running), object(PODS, 'default/web', running), broken], [scope('5', heard)]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['written', 'written', 'rejected']);
    await storage.close();
    const closing = /^warning: as of 2s ago, complete to 5, but shop\/big was refused by storage, so missing here or shown in an older state \(.+\)\n$/;
    for (const format of FORMATS) {
      const { code, out, err } = await run('pods', '-n', 'shop', '-o', format, '--storage', url);
      expect([format, code]).toEqual([format, 0]);
      expect(err, format).toMatch(closing);
      expect(out, format).not.toContain('warning');
      if (format === 'json' || format === 'yaml') expect(parse(out)).toMatchObject({ kind: 'List', items: [{ metadata: { name: 'small' } }] });
    }
    expect(await run('pods', '--storage', url)).toMatchObject({ code: 0, err: 'as of 2s ago, complete to 5\n' });
    expect((await run('pod', 'small', '-n', 'shop', '--storage', url)).err).toBe('as of 2s ago, complete to 5\n');
    const missing = await run('pod', 'big', '-n', 'shop', '--storage', url);
    expect(missing).toMatchObject({ code: 1, out: '' });
    expect(missing.err).toMatch(/^Error \(NotFound\): pods "big" not found .*\nwarning: as of 2s ago, .* shop\/big was refused by storage/);
  });

  test('an unknown kind', async () => {
    await expect(run('podz')).rejects.toThrow(/No kind is called "podz"; did you mean pods\? The copy holds: configmaps, /);
    await expect(run('widgetz')).rejects.toThrow(/did you mean widgets\?/);
  });

  test('no database: which file, and what makes one', async () => {
    const url = `sqlite:${dir.file('none.db')}`;
    await expect(run('pods', '--storage', url)).rejects.toThrow(
      `Cannot read the database "${dir.file('none.db')}": the file does not exist. Start a mirror that writes it (kubefold run --storage "${url}")`,
    );
  });
});

test.each([
  [['pods', 'web-0', '-A'], /in all namespaces/],
  [['pods', 'web-0', '-l', 'a=b'], /A name and a selector/],
  [['pods', '-l', 'a=b=c'], /Cannot use the selector: found '=', expected/],
  [['pods', '--field-selector', 'spec.nodename!=x'], /field label not supported: spec\.nodename/],
  [['pods', '-o', 'jason'], /--output must be one of table, wide, json, yaml, name, found "jason"; did you mean json\?/],
  [['pod/web-0', 'web-1'], /"web-1" is not KIND\/NAME/],
  [[','], /A kind must be named/],
  [['pods', '--cluster-name', 'prd'], /no cluster "prd"; did you mean prod\? It holds: prod\./],
])('kubefold get %j is wrong usage', async (args, message) => {
  const wrong = run(...args);
  await expect(wrong).rejects.toThrow(message);
  await expect(wrong).rejects.toBeInstanceOf(UsageError);
});

test('more rows than a page are all printed once, in order', async () => {
  const names = Array.from({ length: 1_201 }, (_, index) => `p-${String(index).padStart(4, '0')}`);
  await fill(
    'big',
    names.map((name) => object(PODS, `a/${name}`)),
    [scope('1', heard)],
  );
  expect((await run('pods', '-A', '-o', 'name', '--cluster-name', 'big')).out).toBe(lines(...names.map((name) => `pod/${name}`)));
  expect((await run('pods', '-A', '--no-headers', '--cluster-name', 'big')).out.split('\n')).toHaveLength(1_202);
  // From here on the copy holds two clusters, and one has to be chosen.
  await expect(run('pods')).rejects.toThrow('The copy holds several clusters: big, prod. Choose one with --cluster-name.');
});
