import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** The code blocks of one language, in order. */
export function blocks(language: string): readonly string[] {
  return [...README.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1] ?? '');
}

/** The lines of the shell blocks, without their comments. */
export function shellLines(): readonly string[] {
  return blocks('sh')
    .flatMap((block) => block.split('\n'))
    .map((line) => line.replace(/ +#.*$/, '').trim())
    .filter((line) => line !== '');
}

/** The arguments of each kubefold command: `npm start -- …`, `npm run -s kubefold -- …`, and `npm run demo -- …`. */
export function kubefoldLines(): readonly (readonly string[])[] {
  return shellLines().flatMap((line) => {
    const match = /^npm (?:start|run -s kubefold|run (demo)) -- (.+)$/.exec(line);
    if (match === null) return [];
    return [[...(match[1] === undefined ? [] : [match[1]]), ...(match[2] ?? '').split(' ')]];
  });
}
