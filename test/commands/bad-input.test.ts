import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tempDir } from '../support/temp-dir.ts';
import { kubefold } from './kubefold.ts';

const dir = tempDir('bad-input');
afterAll(() => dir.remove());

/** Exit 2, nothing on stdout, and one message on stderr. */
async function refusal(args: readonly string[]): Promise<string> {
  const exit = await kubefold(args, { cwd: dir.path });
  expect(exit.stdout).toBe('');
  expect(exit.code).toBe(2);
  expect(exit.stderr).toMatch(/^kubefold: /);
  expect(exit.stderr, 'no stack traces').not.toMatch(/^\s+at /m);
  return exit.stderr;
}

describe('the command line', () => {
  test.each<[string, readonly string[], RegExp]>([
    ['an unknown command', ['rnu'], /no command "rnu"; did you mean run\? See kubefold --help/],
    ['a command like nothing', ['xyzzy'], /no command "xyzzy"\. See kubefold --help/],
    ['an unknown option', ['run', '--stroage', 'x'], /run has no option --stroage; did you mean --storage\? See kubefold run --help/],
    ['an option of another command', ['config', 'print', '--once'], /config has no option --once[.;]/],
    ['an option without its value', ['run', '--storage'], /--storage.*See kubefold run --help/],
    ['an argument too many', ['run', 'pods'], /run takes 0 arguments.*found 1/],
    ['an argument too few', ['get'], /get takes .*KIND.*found 0/],
    ['an unknown verb', ['config', 'chekc', 'x'], /config has no "chekc": use check, print, schema or import-bcs/],
    ['a file that is not named', ['config', 'check'], /needs a FILE/],
    ['a number that is none', ['demo', '--pods', 'many'], /--pods must be a whole number from 0 to 1000000, found "many"/],
    ['a number out of range', ['hollow', '--port', '65536'], /--port must be a whole number from 0 to 65535, found "65536"/],
    ['a log level that there is not', ['run', '--log-level', 'loud'], /--log-level.*debug.*found "loud"/],
    ['a log format that there is not', ['run', '--log-format', 'xml'], /--log-format.*pretty.*json.*found "xml"/],
    ['an address that is none', ['run', '--listen', 'nonsense'], /--listen.*HOST:PORT.*found "nonsense"/],
    ['a storage engine that there is not', ['run', '--storage', 'mysql://u:geheim@h/db'], /known storage engine, not "mysql".*sqlite:/],
    [
      'a storage engine of a later version',
      ['run', '--kubeconfig', 'kubeconfig', '--storage', 'postgres://u:geheim@h/db'],
      /"postgres" is known but not built into this version.*sqlite:/,
    ],
    ['a storage that cannot be read from outside', ['get', 'pods', '--storage', 'memory:'], /memory:.*keeps nothing outside the process/],
    [
      'an address beyond loopback without TLS and token',
      ['run', '--listen', '0.0.0.0:0'],
      /must be a loopback address unless tls is set[\s\S]*must be a loopback address unless auth.tokenReview or auth.tokenFile is set/,
    ],
    ['a kubeconfig that is not there', ['run', '--kubeconfig', '/no/such/file'], /kubeconfig \/no\/such\/file \(--kubeconfig\) does not exist/],
    ['no kubeconfig at all', ['run'], /No kubeconfig was found.*--kubeconfig FILE or set KUBECONFIG/],
    [
      'a context that is not there',
      ['run', '--kubeconfig', 'kubeconfig', '--context', 'prod'],
      /Context "prod" is not in the kubeconfig .*it has here; choose one of them with --context/,
    ],
    ['a kubeconfig that is no YAML', ['run', '--kubeconfig', 'broken'], /broken is not valid YAML near character \d+/],
    ['a configuration that is not there', ['run', '--config', '/no/such/file'], /Cannot read the configuration \/no\/such\/file: there is no such file/],
    ['one copy of several shards', ['run', '--once', '--config', 'shards.yaml'], /--once makes a copy of everything by itself, and shards is 2: leave it at 1/],
    ['shards that nobody elects a writer of', ['run', '--config', 'unelected.yaml'], /leaderElection\.enabled must be true with shards: 2/],
    ['a directory for a configuration', ['config', 'check', '.'], /it is a directory/],
  ])('%s', async (_, args, message) => {
    const text = await refusal(args);
    expect(text).toMatch(message);
    expect(text).not.toContain('geheim');
  });

  beforeAll(() => {
    const kubeconfig = {
      'current-context': 'here',
      clusters: [{ name: 'here', cluster: { server: 'http://127.0.0.1:1' } }],
      users: [{ name: 'here', user: { token: 'geheim' } }],
      contexts: [{ name: 'here', context: { cluster: 'here', user: 'here' } }],
    };
    writeFileSync(dir.file('kubeconfig'), JSON.stringify(kubeconfig));
    writeFileSync(dir.file('shards.yaml'), 'shards: 2\nleaderElection: { enabled: true }\n');
    writeFileSync(dir.file('unelected.yaml'), 'shards: 2\n');
    writeFileSync(dir.file('broken'), 'users: [{ token: geheim\n  "');
  });
});

describe('the configuration: place, key, rule, value found and a way out', () => {
  test.each<[string, string, RegExp]>([
    ['an unknown key', 'wrokers: { pods: 1 }', /:1:1: wrokers is not a known key\. Did you mean "workers"\?/],
    ['an unknown key of a rule', 'resources: [{ kinds: [pods], lables: "a=b" }]', /resources\[0\]\.lables is not a known key\. Did you mean "labels"\?/],
    ['a worker count of 0', 'workers: { pods: 0 }', /:1:18: workers\.pods must be a whole number from 1 to 1024, found 0\. .*mirror: false/],
    ['a worker count for a wildcard', 'workers: { "*.apps": 2 }', /workers.*must name one kind, without wildcards/],
    ['a bad label selector', 'resources: [{ kinds: [pods], labels: "a in" }]', /resources\[0\]\.labels must be a label selector \(.*\), found "a in"/],
    ['a bad field selector', 'resources: [{ kinds: [pods], fields: "spec" }]', /resources\[0\]\.fields must be a field selector \(.*\), found "spec"/],
    [
      'a bad mask path',
      'resources: [{ kinds: [pods], mask: ["spec..x"] }]',
      /resources\[0\]\.mask\[0\] must be the path of a value to hide \(.*position 6.*\), found "spec\.\.x"/,
    ],
    ['a mask of what an object is found by', 'resources: [{ kinds: [pods], mask: ["metadata.name"] }]', /mask\[0\] .*would hide metadata\.name/],
    ['a bad ignoreChanges path', 'resources: [{ kinds: [pods], ignoreChanges: ["[0]"] }]', /ignoreChanges\[0\] must be the path of a value/],
    ['a rule without kinds', 'resources: [{ labels: "a=b" }]', /resources\[0\]\.kinds must be set.*kinds: \[pods\]/],
    ['a storage URL of an unknown engine', 'storage: { url: "mysql://x" }', /storage\.url must name a known storage engine, not "mysql"/],
    ['a size that is none', 'cache: { pendingBytes: lots }', /cache\.pendingBytes must be a size in bytes, found "lots".*128MiB/],
    ['half of TLS', 'tls: { certFile: x }', /tls\.keyFile must be set together/],
    ['no YAML', 'workers: [', /:\d+:\d+: not valid YAML/],
    ['a key twice', 'kinds: [pods]\nkinds: [nodes]', /not valid YAML: Map keys must be unique/],
    ['a list', '- a', /must be a mapping/],
  ])('%s', async (_, text, message) => {
    writeFileSync(dir.file('kubefold.yaml'), text);
    const answer = await refusal(['config', 'check', 'kubefold.yaml']);
    expect(answer).toMatch(message);
    expect(answer).toContain('kubefold.yaml');
  });

  test('all problems are told at once, and `run` refuses the same file in the same words', async () => {
    writeFileSync(dir.file('kubefold.yaml'), 'wrokers: {}\nworkers: { pods: 0 }\nresources:\n  - kinds: [pods]\n    mask: ["a..b"]\n');
    const check = await refusal(['config', 'check', 'kubefold.yaml']);
    expect(check).toMatch(/3 problems/);
    expect(await refusal(['run', '--config', 'kubefold.yaml'])).toBe(check);
  });
});
