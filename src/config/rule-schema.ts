import * as v from 'valibot';
import { parseFieldSelector, parseLabelSelector } from '../read/selectors.ts';
import { messageOf } from '../model/errors.ts';
import { parsePath, protectedPart } from '../transform/paths.ts';
import { DEFAULTS } from './defaults.ts';
import { choice, described, nullable, problem, text } from './schema-parts.ts';

/** A kind in a rule: an id (`pods`, `deployments.apps`), a glob over ids (`*.apps`), a Kind (`Pod`, `Deployment.apps`), a short name (`po`), or apiVersion and Kind (`apps/v1/*`). */
export const rulePatternSchema = v.pipe(
  v.string(problem('must be the name of a kind', 'For example pods, deployments.apps or "*.apps".')),
  v.regex(
    /^(?:[A-Za-z0-9*?](?:[A-Za-z0-9.*?-]*[A-Za-z0-9*?])?|(?:[a-z0-9*?](?:[a-z0-9.*?-]*[a-z0-9*?])?\/)?[v*?][a-z0-9*?]*\/[A-Za-z*?][A-Za-z0-9*?-]*)$/,
    problem('must be the name of a kind, with * and ? as wildcards', 'For example pods, deployments.apps, "*.apps" or "apps/v1/*".'),
  ),
);

const NO_REMOVAL = problem('must be a path, or a mapping with path and namespaces', 'For example spec.template or { path: data.token, namespaces: [team-a] }.');

/** Reports what a parser throws as the rule that was broken. */
function parsed(parse: (value: string) => unknown, what: string, fix: string) {
  const rule = problem(`must be ${what}`, fix);
  return v.pipe(
    v.string(rule),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      try {
        parse(dataset.value);
      } catch (cause) {
        addIssue({ message: problem(`must be ${what} (${messageOf(cause).replaceAll('\n', ' ')})`, fix) });
      }
    }),
  );
}

const maskPath = parsed(
  (value) => {
    const hidden = protectedPart(parsePath(value));
    if (hidden !== null) throw new Error(`it would hide ${hidden}, by which the object is found`);
  },
  'the path of a value to hide',
  'For example spec.containers[*].env[*].value or metadata.annotations["example.com/token"].',
);

const removedPath = parsed(
  (value) => {
    const path = parsePath(value);
    const last = path.steps.at(-1)?.type;
    if (last === 'element' || last === 'elements') throw new Error('an element of a list cannot be taken out, only a field');
    const hidden = protectedPart(path);
    if (hidden !== null) throw new Error(`it would take out ${hidden}, by which the object is found`);
  },
  'the path of a field to take out',
  'For example spec.template or data["token"].',
);

const removal = v.union(
  [
    removedPath,
    v.strictObject({
      path: removedPath,
      namespaces: described(
        v.pipe(
          v.array(text('For example [team-a].')),
          v.minLength(1, problem('must name at least one namespace', 'For example [team-a], or write the path alone.')),
        ),
        'Only in these namespaces (globs allowed).',
      ),
    }),
  ],
  (issue) => (issue.issues?.length === 1 ? (issue.issues[0]?.message ?? NO_REMOVAL) : NO_REMOVAL),
);

const ignoredPath = parsed(parsePath, 'the path of a value', 'For example status.conditions[*].lastHeartbeatTime.');

const LABEL_PART = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const LABEL_PREFIX = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const NO_LABELS = problem('must be a mapping of label keys to values', 'For example { cluster.example.com/name: member-1, team: a }.');

const labelValue = v.pipe(
  v.string(problem('must be the value of a label, a text', 'Quote numbers and words like true: "1".')),
  v.check(
    (text) => text === '' || LABEL_PART.test(text),
    problem('must be the value of a label: at most 63 letters, digits, dashes, underscores and dots, letters or digits at both ends', 'For example member-1.'),
  ),
);

const setLabelsSchema = v.pipe(
  v.objectWithRest({}, labelValue, NO_LABELS),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const bad = Object.keys(dataset.value).find((key) => !isLabelKey(key));
    if (bad !== undefined)
      addIssue({ message: problem(`must have keys of labels, not ${JSON.stringify(bad)}`, 'For example { cluster.example.com/name: member-1, team: a }.') });
  }),
);

function isLabelKey(key: string): boolean {
  const [name = '', prefix, more] = key.split('/').toReversed();
  return more === undefined && LABEL_PART.test(name) && (prefix === undefined || LABEL_PREFIX.test(prefix));
}

function qualifiedNames() {
  const rule = problem('must be a list of names with their namespaces', 'For example ["kube-system/kube-*"]; the name alone for kinds without namespaces.');
  return v.array(text('For example kube-system/kube-*.'), rule);
}

function patterns(what: string, example: string) {
  const list = v.array(text(`For example ${example}.`), problem(`must be a list of ${what}`, `For example [${example}].`));
  const entries = {
    include: v.optional(described(list, `Only these ${what} (globs allowed). Default: all.`)),
    exclude: v.optional(described(list, `Never these ${what} (globs allowed). Default: none.`)),
  };
  return v.strictObject(entries, problem('must be a mapping with include or exclude', `For example { exclude: [${example}] }.`));
}

/** One rule. Keys that are left out leave the kind as it is; the first rule whose kinds match decides alone. */
export const ruleSchema = described(
  v.strictObject(
    {
      kinds: described(
        v.pipe(
          v.array(rulePatternSchema, problem('must be a list of kinds', 'For example [pods, "*.apps"].')),
          v.minLength(1, problem('must name at least one kind', 'For example [pods, "*.apps"].')),
        ),
        'Kinds the rule is about: pods, deployments.apps, Deployment.apps, short names, and globs such as "*.apps". With a slash, apiVersion and Kind: apps/v1/*, v1/Pod; the version is the one that the API server prefers. A wildcard never means Secrets or Leases: name them. Kinds that do not exist yet are allowed.',
      ),
      mirror: v.optional(
        described(v.boolean(problem('must be true or false', 'Write mirror: false to leave the kinds out.')), 'false leaves these kinds out. Default true.'),
        true,
      ),
      scope: nullable(
        choice(['cluster', 'namespaced'], ''),
        null,
        'The rule is only about kinds of this scope: cluster (Nodes) or namespaced (Pods). Default null: both.',
      ),
      namespaces: v.optional(
        described(
          patterns('namespaces', 'kube-system'),
          'Which namespaces, for namespaced kinds. Only literal names in include: each is listed and watched on its own. Default: all.',
        ),
      ),
      names: v.optional(described(patterns('names', 'kube-root-ca.crt'), 'Which objects by name. Default: all.')),
      always: v.optional(
        described(
          qualifiedNames(),
          'Objects that pass although namespaces or names of this rule say otherwise, as namespace/name (globs allowed): kube-system/kube-*. Default none.',
        ),
        [],
      ),
      labels: nullable(
        parsed(parseLabelSelector, 'a label selector', 'For example app=web,tier!=scratch or "env in (dev,test)".'),
        null,
        'Label selector; the API server evaluates it. Default null: all.',
      ),
      setLabels: v.optional(
        described(
          setLabelsSchema,
          'Labels that every object has in the copy, over those of its own, before anything is removed or masked: for API servers in front of many clusters, which select by labels that their answers lack. Default none.',
        ),
        {},
      ),
      fields: nullable(
        parsed(parseFieldSelector, 'a field selector', 'For example spec.nodeName!= or status.phase=Running,metadata.name!=x.'),
        null,
        'Field selector; what the API server cannot evaluate for the kind is evaluated here, on any path. Default null: all.',
      ),
      mask: v.optional(
        described(
          v.array(maskPath, problem('must be a list of paths', 'For example ["data.*"].')),
          'Values replaced by "***" before cache, log and storage. Default none.',
        ),
        [],
      ),
      remove: v.optional(
        described(
          v.array(removal, problem('must be a list of paths', 'For example [spec.template, { path: data.token, namespaces: [team-a] }].')),
          'Fields that the copy does not have, as paths or { path, namespaces }. Unlike mask nothing shows that something was there. Default none.',
        ),
        [],
      ),
      ignoreChanges: v.optional(
        described(
          v.array(ignoredPath, problem('must be a list of paths', 'For example [status.observedGeneration].')),
          'A change of nothing but these values is not worth a write. Default: heartbeat times of nodes; for other kinds none.',
        ),
      ),
      annotateWorkload: v.optional(
        described(
          v.boolean(problem('must be true or false', 'Write annotateWorkload: true for pods whose Deployment, CronJob and the like is to be seen on them.')),
          'Every object gets its top workload (a Pod its Deployment, found over all controllers) as the annotations workload.bkbcs.tencent.com/kind and /name, kept right when an owner arrives or changes. Default: true for pods in the storage service of bcs-k8s-watch (bcs+http), else false.',
        ),
      ),
      minIntervalSeconds: v.optional(
        described(
          v.pipe(
            v.number(problem('must be a number of seconds from 0 to 86400', 'Use 0 for no least interval.')),
            v.minValue(0, problem('must be a number of seconds from 0 to 86400', 'Use 0 for no least interval.')),
            v.maxValue(86400, problem('must be a number of seconds from 0 to 86400', 'Use 0 for no least interval.')),
          ),
          `At most one write per object in this many seconds; the newest state wins. Default ${DEFAULTS.minIntervalSeconds}.`,
        ),
        DEFAULTS.minIntervalSeconds,
      ),
      secrets: v.optional(
        choice(
          ['hashed', 'plain'],
          `Values of Secrets: replaced by keyed hashes, or kept as they are. Only for kinds: [secrets]. Default ${DEFAULTS.secrets}.`,
        ),
        DEFAULTS.secrets,
      ),
    },
    problem('must be a mapping', 'For example { kinds: [pods], namespaces: { exclude: [kube-system] } }.'),
  ),
  'One rule.',
);

export type Rule = v.InferOutput<typeof ruleSchema>;
