// The bill of materials of what is shipped, in the image and beside the package. Asks no network.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The folders (`node_modules/undici`) of the packages that the program of the checkout `root` runs with. Throws when one is not installed. */
export function shippedPackages(root) {
  const { packages } = lockOf(root);
  // Found as Node finds them: from each package to what it depends on. Optional packages of other platforms are not installed.
  const needed = new Set(['']);
  for (const path of needed) {
    const { dependencies = {}, optionalDependencies = {} } = packages[path];
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      let folder = path;
      while (folder !== '' && packages[`${folder}/node_modules/${name}`] === undefined) folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')));
      const found = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
      if (existsSync(join(root, found))) needed.add(found);
      else if (optionalDependencies[name] === undefined) throw new Error(`${found} is not installed: run npm ci first`);
    }
  }
  needed.delete('');
  return needed;
}

/** These packages as an SPDX document, as text; the same for the same lock file and `epoch` (seconds). */
export function billOfMaterials(root, shipped, epoch) {
  const { packages } = lockOf(root);
  // npm writes the time and a random number into the bill of materials; the lock file decides both instead. What is shipped we say ourselves: with
  // --omit=dev npm leaves out packages that development packages need, too.
  const npm = ['sbom', '--package-lock-only', '--sbom-format=spdx'];
  const sbom = JSON.parse(execFileSync('npm', npm, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 64 * 1024 * 1024 }));
  const named = new Set([...shipped].map((path) => `${path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)}@${packages[path].version}`));
  const [itself] = sbom.documentDescribes;
  sbom.packages = sbom.packages.filter(({ SPDXID, name, versionInfo }) => SPDXID === itself || named.has(`${name}@${versionInfo}`));
  const ids = new Set(['SPDXRef-DOCUMENT', ...sbom.packages.map(({ SPDXID }) => SPDXID)]);
  sbom.relationships = sbom.relationships.filter(({ spdxElementId, relatedSpdxElement }) => ids.has(spdxElementId) && ids.has(relatedSpdxElement));
  const lock = createHash('sha256').update(readFileSync(join(root, 'package-lock.json'))).digest('hex');
  sbom.documentNamespace = `https://spdx.org/spdxdocs/kubefold-${packages[''].version}-${lock}`;
  sbom.creationInfo.created = new Date(epoch * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
  return `${JSON.stringify(sbom, null, 2)}\n`;
}

function lockOf(root) {
  return JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
}
