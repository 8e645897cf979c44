import { describe, expect, test } from 'vitest';
import { type ConfigFlags, loadConfig } from '../../src/config/load.ts';
import { DEFAULTS } from '../../src/config/defaults.ts';
import { UsageError } from '../../src/model/errors.ts';

function load(text: string | null, flags: ConfigFlags = {}) {
  return loadConfig({ text, file: 'kubefold.yaml', flags });
}

/** The lines below the headline of the refusal. */
function problems(text: string | null, flags: ConfigFlags = {}): readonly string[] {
  let thrown: unknown;
  try {
    load(text, flags);
  } catch (cause) {
    thrown = cause;
  }
  expect(thrown).toBeInstanceOf(UsageError);
  const [headline, ...lines] = (thrown as UsageError).message.split('\n');
  expect(headline).toBe(`The configuration cannot be used: ${lines.length} problem${lines.length === 1 ? '' : 's'}.`);
  return lines.map((line) => line.trim());
}

describe('a good configuration', () => {
  test('no file at all gives every default', () => {
    const config = load(null);
    expect(config.storage.url).toBe('sqlite:./kubefold.db');
    expect(config.workers).toEqual({ default: 4 });
    expect(config.limits).toEqual({ storage: { concurrency: 256, perSecond: null }, apiserver: { concurrency: 8, perSecond: 50 } });
    expect(config.cache).toEqual({ bodies: 'pending', pendingBytes: 134217728 });
    expect(config.fence).toEqual({ maxDeleteShare: 0.3, minObjects: 50, confirmAfterSeconds: null });
    expect(config.history).toEqual({ maxAgeHours: 24, maxBytes: 1073741824, bodies: false });
    expect(config.listen).toBe(DEFAULTS.listen);
  });

  test('the example of the design is accepted whole', () => {
    const config = load(`
cluster: { name: prod-eu-1 }
storage: { url: sqlite:/var/lib/kubefold/kubefold.db }
workers: { default: 4, pods: 16, deployments.apps: 8 }
limits:
  storage: { concurrency: 256, perSecond: null }
  apiserver: { concurrency: 8, perSecond: 50 }
resources:
  - kinds: ["pods", "*.apps", "*.example.com"]
    namespaces: { exclude: [kube-system] }
    labels: "tier!=scratch"
    fields: "spec.nodeName!="
    mask: [ "spec.containers[*].env[*].value" ]
    ignoreChanges: [ "status.conditions[*].lastHeartbeatTime" ]
    minIntervalSeconds: 0
  - kinds: ["leases.coordination.k8s.io", "secrets"]
    mirror: false
fence: { maxDeleteShare: 0.3, minObjects: 50, confirmAfterSeconds: null }
audit: { everySeconds: 300 }
cache: { bodies: pending, pendingBytes: 128MiB }
history: { maxAgeHours: 24, maxBytes: 1GiB, bodies: false }
`);
    expect(config.resources).toHaveLength(2);
    expect(config.workers).toEqual({ default: 4, pods: 16, 'deployments.apps': 8 });
  });

  test('the command line overrides the file', () => {
    const config = load('storage: { url: "memory:" }\nlog: { level: warn }\nlisten: 127.0.0.1:1\n', {
      storage: 'sqlite:./other.db',
      clusterName: 'lab',
      kinds: 'pods, deployments.apps',
      namespaces: ['a', 'b,c'],
      listen: '127.0.0.1:0',
      logLevel: 'debug',
      logFormat: 'json',
    });
    expect(config.storage.url).toBe('sqlite:./other.db');
    expect(config.cluster.name).toBe('lab');
    expect(config.kinds).toEqual(['pods', 'deployments.apps']);
    expect(config.namespaces).toEqual(['a', 'b', 'c']);
    expect(config.listen).toBe('127.0.0.1:0');
    expect(config.log).toEqual({ level: 'debug', format: 'json' });
  });

  test('a section with every line commented out means its defaults', () => {
    expect(load('workers:\nlimits:\n  storage:\nresources:\n')).toEqual(load(null));
  });

  test('nothing in it can be changed', () => {
    const config = load('workers: { pods: 2 }\nresources: [{ kinds: [pods], mask: [data.x] }]');
    const parts: unknown[] = [config];
    for (const part of parts) {
      if (typeof part !== 'object' || part === null) continue;
      expect(Object.isFrozen(part)).toBe(true);
      parts.push(...Object.values(part));
    }
  });
});

describe('a bad configuration says key, rule, value and a way out', () => {
  const cases: readonly { readonly name: string; readonly text: string | null; readonly flags?: ConfigFlags; readonly lines: readonly string[] }[] = [
    {
      name: 'an unknown key, with a suggestion',
      text: 'storge: { url: x }',
      lines: ['kubefold.yaml:1:1: storge is not a known key. Did you mean "storage"?'],
    },
    {
      name: 'an unknown key that resembles nothing',
      text: 'cache:\n  colour: red',
      lines: ['kubefold.yaml:2:3: cache.colour is not a known key. Known here: bodies, pendingBytes.'],
    },
    {
      name: 'an unknown key in a rule',
      text: 'resources:\n  - kinds: [pods]\n    namspaces: {}',
      lines: ['kubefold.yaml:3:5: resources[0].namspaces is not a known key. Did you mean "namespaces"?'],
    },
    {
      name: 'labels to set that no object may have',
      text: 'resources:\n  - { kinds: [pods], setLabels: { "a b": c } }\n  - { kinds: [pods], setLabels: { a: "-", b: 1 } }\n  - { kinds: [pods], setLabels: [a] }',
      lines: [
        'kubefold.yaml:2:33: resources[0].setLabels must have keys of labels, not "a b", found a mapping. For example { cluster.example.com/name: member-1, team: a }.',
        'kubefold.yaml:3:38: resources[1].setLabels.a must be the value of a label: at most 63 letters, digits, dashes, underscores and dots, letters or digits at both ends, found "-". For example member-1.',
        'kubefold.yaml:3:46: resources[1].setLabels.b must be the value of a label, a text, found 1. Quote numbers and words like true: "1".',
        'kubefold.yaml:4:33: resources[2].setLabels must be a mapping of label keys to values, found a list. For example { cluster.example.com/name: member-1, team: a }.',
      ],
    },
    {
      name: 'worker count 0',
      text: 'workers:\n  pods: 0',
      lines: [
        'kubefold.yaml:2:9: workers.pods must be a whole number from 1 to 1024, found 0. Use 1 or more. To stop mirroring a kind, give it a rule with mirror: false.',
      ],
    },
    {
      name: 'a wildcard among the workers',
      text: 'workers: { "*.apps": 3 }',
      lines: [
        'kubefold.yaml:1:22: workers["*.apps"] must name one kind, without wildcards, found "*.apps". For example pods or deployments.apps; workers.default is for all others.',
      ],
    },
    {
      name: 'a storage URL of an unknown engine',
      text: 'storage:\n  url: mysql://root@db/x',
      lines: [
        'kubefold.yaml:2:8: storage.url must name a known storage engine, not "mysql", found "mysql://root@db/x". Use one of sqlite:./kubefold.db, postgres://user@host/db, bcs+https://host:port, memory:, null:.',
      ],
    },
    {
      name: 'a storage URL of an unknown engine on the command line, with a suggestion',
      text: null,
      flags: { storage: 'sqlit:./x.db' },
      lines: [
        '--storage: storage.url must name a known storage engine, not "sqlit", found "sqlit:./x.db". Use one of sqlite:./kubefold.db, postgres://user@host/db, bcs+https://host:port, memory:, null:. Did you mean "sqlite:"?',
      ],
    },
    {
      name: 'a storage URL without an engine',
      text: null,
      flags: { storage: './x.db' },
      lines: ['--storage: storage.url must be a storage URL, found "./x.db". Put an engine in front, for example sqlite:./x.db.'],
    },
    {
      name: 'a bad label selector',
      text: 'resources:\n  - kinds: [pods]\n    labels: app in',
      lines: [
        'kubefold.yaml:3:13: resources[0].labels must be a label selector (unable to parse requirement: found \'\' expected: \'(\'), found "app in". For example app=web,tier!=scratch or "env in (dev,test)".',
      ],
    },
    {
      name: 'a bad field selector',
      text: 'resources:\n  - kinds: [pods]\n    fields: spec.nodeName in (a)',
      lines: [
        "kubefold.yaml:3:13: resources[0].fields must be a field selector (invalid selector: 'spec.nodeName in (a)'; can't understand 'spec.nodeName in (a)'), found \"spec.nodeName in (a)\". For example spec.nodeName!= or status.phase=Running,metadata.name!=x.",
      ],
    },
    {
      name: 'a bad mask path',
      text: 'resources:\n  - kinds: [pods]\n    mask: ["spec..env"]',
      lines: [
        'kubefold.yaml:3:12: resources[0].mask[0] must be the path of a value to hide (expected the name of a field at position 6, found "."; a path looks like spec.containers[*].env[*].value), found "spec..env". For example spec.containers[*].env[*].value or metadata.annotations["example.com/token"].',
      ],
    },
    {
      name: 'a mask over what identifies the object',
      text: 'resources: [{ kinds: [pods], mask: ["metadata.*"] }]',
      lines: [
        'kubefold.yaml:1:37: resources[0].mask[0] must be the path of a value to hide (it would hide metadata.name, by which the object is found), found "metadata.*". For example spec.containers[*].env[*].value or metadata.annotations["example.com/token"].',
      ],
    },
    {
      name: 'a bad path among the ignored changes',
      text: 'resources: [{ kinds: [pods], ignoreChanges: ["status["] }]',
      lines: [
        'kubefold.yaml:1:46: resources[0].ignoreChanges[0] must be the path of a value (expected [*], [0] or ["name"] at position 7, found "["; a path looks like spec.containers[*].env[*].value), found "status[". For example status.conditions[*].lastHeartbeatTime.',
      ],
    },
    {
      name: 'a rule without kinds',
      text: 'resources:\n  - mirror: false',
      lines: ['kubefold.yaml:2:5: resources[0].kinds must be set. Name the kinds the rule is about, for example kinds: [pods].'],
    },
    {
      name: 'a name that no kind can have',
      text: null,
      flags: { kinds: 'pods,deploy/web' },
      lines: [
        '--kinds: kinds[1] must be the name of a kind, with * and ? as wildcards, found "deploy/web". For example pods, deployments.apps, "*.apps" or "apps/v1/*".',
      ],
    },
    {
      name: 'a write-ahead log with too little room for one transaction',
      text: 'storage: { walBytes: 1MiB }',
      lines: [
        'kubefold.yaml:1:22: storage.walBytes must be a size in bytes, 8MiB or more, found "1MiB". Write it like 128MiB, 1GiB or 1048576, or leave it out for the default.',
      ],
    },
    {
      name: 'a size without a known unit',
      text: 'cache: { pendingBytes: 12 parsecs }',
      lines: [
        'kubefold.yaml:1:24: cache.pendingBytes must be a size in bytes, found "12 parsecs". Write it like 128MiB, 1GiB or 1048576, or leave it out for the default.',
      ],
    },
    {
      name: 'an address beyond loopback without TLS and without credentials (design.md section 7)',
      text: 'listen: 0.0.0.0:8080',
      lines: [
        'kubefold.yaml:1:9: listen must be a loopback address unless tls is set, found "0.0.0.0:8080". Use 127.0.0.1:8080, or set tls.certFile and tls.keyFile and auth.',
        'kubefold.yaml:1:9: listen must be a loopback address unless auth.tokenReview or auth.tokenFile is set, found "0.0.0.0:8080". Use 127.0.0.1:8080, or set auth.tokenReview: true or auth.tokenFile.',
      ],
    },
    {
      name: 'an address that is none',
      text: null,
      flags: { listen: '8080' },
      lines: ['--listen: listen must be HOST:PORT with a port from 0 to 65535, found "8080". For example 127.0.0.1:8080 or [::1]:8080; off serves nothing.'],
    },
    {
      name: 'half a certificate',
      text: 'tls:\n  certFile: /tls/tls.crt',
      lines: ['kubefold.yaml:2:3: tls.keyFile must be set together with the other file of tls, found null. Set both certFile and keyFile, or neither.'],
    },
    {
      name: 'a word where true or false belongs',
      text: 'resources: [{ kinds: [pods], mirror: yes }]',
      lines: ['kubefold.yaml:1:38: resources[0].mirror must be true or false, found "yes". Write mirror: false to leave the kinds out.'],
    },
    {
      name: 'an unknown log level',
      text: null,
      flags: { logLevel: 'loud' },
      lines: ['--log-level: log.level must be one of debug, info, warn, error, silent, found "loud". Correct it, or leave it out for the default.'],
    },
    {
      name: 'a list where the whole should be',
      text: '- a\n- b',
      lines: ['kubefold.yaml:1:1: the configuration must be a mapping of configuration keys, found a list. Start with storage: { url: sqlite:./kubefold.db }.'],
    },
    {
      name: 'a list where a section should be',
      text: 'storage: []',
      lines: ['kubefold.yaml:1:10: storage must be a mapping, found a list. Its keys are url, walBytes, timeoutSeconds, tls, tokenFile.'],
    },
    {
      name: 'a list where the workers should be',
      text: 'workers: [4]',
      lines: ['kubefold.yaml:1:10: workers must be a mapping of kinds to numbers, found a list. For example { default: 4, pods: 16 }.'],
    },
    { name: 'a key given twice', text: 'listen: off\nlisten: off', lines: ['kubefold.yaml:2:1: not valid YAML: Map keys must be unique.'] },
    {
      name: 'an empty list of kinds',
      text: 'kinds: []',
      lines: [
        'kubefold.yaml:1:8: kinds must name at least one of the kinds, found an empty list. For example [pods, deployments.apps], or leave it out for all.',
      ],
    },
  ];
  for (const { name, text, flags, lines } of cases) {
    test(name, () => expect(problems(text, flags)).toEqual(lines));
  }

  test('all problems are told at once, in the order of the file, those of the command line last', () => {
    const lines = problems('workers: { default: 0 }\nstorge: 1\naudit: { everySeconds: 0.5 }\n', { logFormat: 'xml' });
    expect(lines.map((line) => line.split(' ')[0])).toEqual(['kubefold.yaml:1:21:', 'kubefold.yaml:2:1:', 'kubefold.yaml:3:24:', '--log-format:']);
  });

  test('aliases that multiply without end are refused', () => {
    const bomb = `a: &a [1,1,1,1,1,1,1,1,1]\n${['b', 'c', 'd', 'e', 'f'].map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcde'[i]}`).join(',')}]`).join('\n')}`;
    expect(() => load(bomb)).toThrow(/aliases refer to nothing or multiply without end/);
  });

  test('a password in the storage URL appears in no refusal, whatever is wrong with it', () => {
    const canary = 'hunter2canary';
    const texts = [
      `storage: { url: "mysql://root:${canary}@db/x" }`,
      `storage: "postgres://u:${canary}@db/x"`,
      `storage: { url: "root:${canary}@db" }`,
      `storage: { url: "postgres:u:${canary}@db" }`,
      `storage: { url: "postgres://u:a/${canary}@db/x?y" , urll: "${canary}" }`,
      `storage: { url: "pg://db/x?password=${canary}" }`,
      `storage: { url: ["postgres://u:${canary}@db/x"] }`,
      `storage: { url: "postgres://u:${canary}@db/x }`,
      `storage:\n  url: postgres://u:${canary}@db/x\n bad: x`,
      `listen: "http://u:${canary}@host"`,
    ];
    for (const text of texts) {
      try {
        load(`${text}\nlog: { level: loud }`);
        expect.unreachable();
      } catch (cause) {
        expect(String((cause as Error).stack)).not.toContain(canary);
      }
    }
  });
});
