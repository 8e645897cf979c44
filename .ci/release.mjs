// node .ci/release.mjs FOLDER: what is published, from a checkout whose packages are installed, into a folder that does not exist yet: the tarball for npm, its bill
// of materials, and SHA256SUMS of both. It is built and packed twice, and the two must be the same to the byte. SOURCE_DATE_EPOCH, the time in the bill of
// materials, is that of the commit unless it is given. Asks no network.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { billOfMaterials, shippedPackages } from '../manifests/image/bill.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const [folder] = process.argv.slice(2);
if (folder === undefined || existsSync(folder)) {
  process.stderr.write(`usage: node .ci/release.mjs FOLDER, a folder that does not exist yet${folder === undefined ? '' : `: ${folder} does`}\n`);
  process.exit(2);
}
const target = resolve(folder);
const { name, version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const hashOf = (algorithm, path) => createHash(algorithm).update(readFileSync(path)).digest('hex');

const epoch = epochGiven();
mkdirSync(target, { recursive: true });
const again = mkdtempSync(join(tmpdir(), 'release-'));
try {
  const [first, second] = [packed(target), packed(again)];
  const [one, other] = [hashOf('sha512', first), hashOf('sha512', second)];
  if (one !== other) throw new Error(`the package is not reproducible: built twice from the same checkout, it has the sha512 ${one} and ${other}`);
  const bill = `${name}-${version}.spdx.json`;
  writeFileSync(join(target, bill), billOfMaterials(ROOT, shippedPackages(ROOT), epoch));
  const files = [`${name}-${version}.tgz`, bill];
  writeFileSync(join(target, 'SHA256SUMS'), files.map((file) => `${hashOf('sha256', join(target, file))}  ${file}\n`).join(''));
  process.stdout.write(`${files.join(', ')} and SHA256SUMS are in ${folder}; built twice, the package is the same: sha512 ${one}\n`);
} catch (cause) {
  process.stderr.write(`${cause.message}\n`);
  process.exitCode = 1;
} finally {
  rmSync(again, { recursive: true, force: true });
}

/** Builds the checkout anew and packs it into a folder; returns the tarball. */
function packed(into) {
  npm('run', '-s', 'build');
  const [{ filename }] = JSON.parse(npm('pack', '--json', '--ignore-scripts', '--pack-destination', into));
  const tarball = join(into, `${name}-${version}.tgz`);
  if (filename !== `${name}-${version}.tgz`) renameSync(join(into, filename), tarball);
  return tarball;
}

function npm(...args) {
  return execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 64 * 1024 * 1024 });
}

function epochGiven() {
  const given = process.env.SOURCE_DATE_EPOCH ?? spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: ROOT, encoding: 'utf8' }).stdout?.trim();
  const seconds = Number(given || 'none');
  if (Number.isSafeInteger(seconds) && seconds >= 0) return seconds;
  process.stderr.write('SOURCE_DATE_EPOCH must be whole seconds since 1970; without it this must be a git checkout\n');
  process.exit(2);
}
