import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configVersion } from '../../../src/config/watch-file.ts';

/**
 * A folder that changes as a mounted ConfigMap does: the file is a link through `..data`, and a new version is a new folder
 * to which `..data` is swapped in one step. The file itself is never written.
 */
export class ConfigMount {
  /** What --config is told. */
  readonly file: string;
  readonly #folder: string;
  #published = 0;

  constructor(folder: string, text: string) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    this.file = join(folder, 'kubefold.yaml');
    this.publish(text);
    symlinkSync('..data/kubefold.yaml', this.file);
  }

  /** As the kubelet does. Returns the version by which the program calls the text. */
  publish(text: string): string {
    const before = `..${this.#published}`;
    this.#published += 1;
    const name = `..${this.#published}`;
    mkdirSync(join(this.#folder, name));
    writeFileSync(join(this.#folder, name, 'kubefold.yaml'), text);
    symlinkSync(name, join(this.#folder, '..data_tmp'));
    renameSync(join(this.#folder, '..data_tmp'), join(this.#folder, '..data'));
    rmSync(join(this.#folder, before), { recursive: true, force: true });
    return configVersion(text);
  }
}
