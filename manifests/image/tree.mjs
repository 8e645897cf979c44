// node manifests/image/tree.mjs TARGET: the files of the image, from a checkout whose packages are installed. Programs compiled, the packages that
// they run with, licence, sample configurations and the bill of materials; every file with the time SOURCE_DATE_EPOCH. Asks no network.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, lutimesSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

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

// What the program runs with, found as Node finds it: from each package to what it depends on. Optional packages of other platforms are not installed.
const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
const needed = new Set(['']);
for (const path of needed) {
  const { dependencies = {}, optionalDependencies = {} } = packages[path];
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    let folder = path;
    while (folder !== '' && packages[`${folder}/node_modules/${name}`] === undefined) folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')));
    const found = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (existsSync(join(ROOT, found))) needed.add(found);
    else if (optionalDependencies[name] === undefined) {
      process.stderr.write(`${found} is not installed: run npm ci first\n`);
      process.exit(1);
    }
  }
}
needed.delete('');
// Types and source maps are for those who develop.
const runs = (file) => !/\.(?:map|d\.[cm]?ts|tsbuildinfo)$/.test(file);
for (const path of needed) {
  const from = join(ROOT, path);
  // Packages inside of packages are found by themselves.
  cpSync(from, join(target, path), { recursive: true, filter: (file) => runs(file) && !relative(from, file).split(sep).includes('node_modules') });
}

// npm writes the time and a random number into the bill of materials; the lock file decides both instead. What is shipped we say ourselves: with
// --omit=dev npm leaves out packages that development packages need, too.
const npm = ['sbom', '--package-lock-only', '--sbom-format=spdx'];
const sbom = JSON.parse(execFileSync('npm', npm, { cwd: ROOT, stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 64 * 1024 * 1024 }));
const shipped = new Set([...needed].map((path) => `${path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)}@${packages[path].version}`));
const [itself] = sbom.documentDescribes;
sbom.packages = sbom.packages.filter(({ SPDXID, name, versionInfo }) => SPDXID === itself || shipped.has(`${name}@${versionInfo}`));
const ids = new Set(['SPDXRef-DOCUMENT', ...sbom.packages.map(({ SPDXID }) => SPDXID)]);
sbom.relationships = sbom.relationships.filter(({ spdxElementId, relatedSpdxElement }) => ids.has(spdxElementId) && ids.has(relatedSpdxElement));
const lock = createHash('sha256').update(readFileSync(join(ROOT, 'package-lock.json'))).digest('hex');
sbom.documentNamespace = `https://spdx.org/spdxdocs/kubefold-${packages[''].version}-${lock}`;
sbom.creationInfo.created = new Date(epoch * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
writeFileSync(join(target, 'sbom.spdx.json'), `${JSON.stringify(sbom, null, 2)}\n`);

// Folders after what is in them: writing changes their time.
for (const path of [...readdirSync(target, { recursive: true }).toSorted().toReversed(), '.']) lutimesSync(join(target, path), epoch, epoch);
