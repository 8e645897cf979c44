import { writeSync } from 'node:fs';
import { ownUsage } from '../usage.ts';

// Preloaded into the real command (node --import): at its end it says what it used. Nothing else of it is touched.
process.on('exit', () => {
  writeSync(1, `${JSON.stringify({ usage: true, ...ownUsage(), seconds: process.uptime() })}\n`);
});
