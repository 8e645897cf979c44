import { Pool } from 'undici';
import { ownUsage } from '../usage.ts';
import { obey, optionsOf, tell } from './serve.ts';

/** The plain limit of taking in events: reads the watch stream through the same HTTP client, counts lines, looks at nothing. */
const { url, events } = optionsOf<{ readonly url: string; readonly events: number }>();
const NEWLINE = 0x0a;
let before = ownUsage();
obey({
  mark: () => {
    before = ownUsage();
    tell({ mark: true });
  },
});
const pool = new Pool(url, { connections: 1 });
tell({ listed: true, objects: 0 });
const { body } = await pool.request({ path: '/api/v1/pods?watch=1', method: 'GET' });
let lines = 0;
body.on('data', (chunk: Buffer) => {
  for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, at + 1)) lines++;
  if (lines === events) tell({ done: true, events: lines, cpuOfEvents: ownUsage().cpuSeconds - before.cpuSeconds, ...ownUsage() });
});
