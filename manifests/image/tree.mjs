// node manifests/image/tree.mjs TARGET: the files of the image, from a checkout whose packages are installed. Programs compiled, the packages that
// they run with, licence, sample configurations and the bill of materials; every file with the time SOURCE_DATE_EPOCH. Asks no network.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, lutimesSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { billOfMaterials, shippedPackages } from './bill.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const [target] = process.argv.slice(2);
if (target === undefined || existsSync(target)) {
  process.stderr.write(`usage: node manifests/image/tree.mjs TARGET, a folder that does not exist yet${target === undefined ? '' : `: ${target} does`}\n`);
  process.exit(2);
}
const epoch = Number(process.env.SOURCE_DATE_EPOCH ?? 0);
if (!Number.isSafeInteger(epoch) || epoch < 0) {
  process.stderr.write(`SOURCE_DATE_EPOCH must be whole seconds since 1970, current value is ${JSON.stringify(process.env.SOURCE_DATE_EPOCH)}\n`);
  process.exit(2);
}

mkdirSync(target, { recursive: true });
// A source map would say where the checkout was.
const tsc = [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', join(ROOT, 'src/tsconfig.json'), '--outDir', join(target, 'dist'), '--sourceMap', 'false'];
execFileSync(process.execPath, tsc, { stdio: ['ignore', 'inherit', 'inherit'] });
chmodSync(join(target, 'dist/main.js'), 0o755);
for (const name of ['package.json', 'LICENSE', 'config']) cpSync(join(ROOT, name), join(target, name), { recursive: true });

const needed = shipped();
// Types and source maps are for those who develop.
const runs = (file) => !/\.(?:map|d\.[cm]?ts|tsbuildinfo)$/.test(file);
for (const path of needed) {
  const from = join(ROOT, path);
  // Packages inside of packages are found by themselves.
  cpSync(from, join(target, path), { recursive: true, filter: (file) => runs(file) && !relative(from, file).split(sep).includes('node_modules') });
}

writeFileSync(join(target, 'sbom.spdx.json'), billOfMaterials(ROOT, needed, epoch));

// Folders after what is in them: writing changes their time.
for (const path of [...readdirSync(target, { recursive: true }).toSorted().toReversed(), '.']) lutimesSync(join(target, path), epoch, epoch);

function shipped() {
  try {
    return shippedPackages(ROOT);
  } catch (cause) {
    process.stderr.write(`${cause.message}\n`);
    process.exit(1);
  }
}
