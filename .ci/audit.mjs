// node .ci/audit.mjs: asks the registry about the packages that are shipped. Exit 1 when it knows of a vulnerability (high or critical) or of a signature that
// is wrong. A registry that cannot be asked (a mirror without that service, no way out) is said loudly, and is no failure: it says nothing about the packages.
import { spawnSync } from 'node:child_process';

/** What is asked, and how an answer is told from everything else that npm prints. */
const QUESTIONS = [
  {
    name: 'npm audit',
    args: ['audit', '--omit=dev', '--audit-level=high'],
    isAnswer: (report) => typeof report?.auditReportVersion === 'number',
    findings: ({ vulnerabilities }) =>
      Object.values(vulnerabilities)
        .filter(({ severity }) => severity === 'high' || severity === 'critical')
        .map(({ name, severity, via }) => `${name}: ${severity}, ${via.map((cause) => cause.title ?? `by ${cause}`).join('; ')}`),
  },
  {
    name: 'npm audit signatures',
    args: ['audit', 'signatures', '--omit=dev'],
    isAnswer: (report) => Array.isArray(report?.invalid) && Array.isArray(report?.missing),
    findings: ({ invalid, missing }) => [
      ...invalid.map(({ name, version, code }) => `${name}@${version}: the signature is wrong (${code})`),
      ...missing.map(({ name, version }) => `${name}@${version}: the signature is missing`),
    ],
  },
];
const BOUND_MS = 120_000;

let failed = false;
for (const { name, args, isAnswer, findings } of QUESTIONS) {
  const options = ['--json', '--fetch-retries=0', '--fetch-timeout=20000'];
  const { status, stdout, stderr } = spawnSync('npm', [...args, ...options], { encoding: 'utf8', timeout: BOUND_MS, maxBuffer: 64 * 1024 * 1024 });
  const report = parsed(stdout);
  if (!isAnswer(report)) {
    const why = report?.message ?? report?.error?.summary ?? stderr.trim().split('\n').at(-1) ?? '';
    process.stdout.write(`\n!!! ${name}: THE REGISTRY CANNOT BE ASKED, so nothing is known about the packages here: ${why || `exit ${status}`}\n\n`);
    continue;
  }
  const found = findings(report);
  // npm's own verdict counts too: what it calls a failure is one, also when its report has another shape than ours.
  if (found.length === 0 && status === 0) process.stdout.write(`${name}: nothing found\n`);
  else {
    failed = true;
    process.stdout.write(`${name}: ${found.length} found (exit ${status})\n${found.map((line) => `  ${line}\n`).join('')}`);
  }
}
process.exit(failed ? 1 : 0);

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
