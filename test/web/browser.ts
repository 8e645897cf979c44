import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** A Chromium of this machine. Throws when there is none: a page that nobody looked at must not count as looked at. */
export function launchChromium(): Promise<Browser> {
  const given = process.env['KUBEFOLD_CHROMIUM'];
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const candidates = given ? [given] : folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const executablePath = candidates.find(isExecutable);
  if (executablePath === undefined) {
    throw new Error(
      `Cannot find Chromium: ${given ? `KUBEFOLD_CHROMIUM is "${given}", which is not a program` : `none of ${NAMES.join(', ')} is on the path`}. Install it (apt-get install chromium), or set KUBEFOLD_CHROMIUM`,
    );
  }
  // Its sandbox needs what containers and root do not have; the page under test is ours.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
