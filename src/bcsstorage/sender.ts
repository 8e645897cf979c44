import type { ServerResponse } from 'node:http';
import type { Clock } from '../kit/clock.ts';
import type { Effect } from './faults.ts';

/** A whole answer. */
export interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export const JSON_TYPE = 'application/json';
export const TEXT_TYPE = 'text/plain; charset=utf-8';

/** Sends an answer, or what the faults that hit the request make of it. Resolves when nothing more is to be sent. */
export async function send(response: ServerResponse, reply: Reply, effects: readonly Effect[], clock: Clock): Promise<void> {
  const wrong = effects.find((effect) => effect.type === 'wrong-body');
  const slow = effects.find((effect) => effect.type === 'slow-body');
  const text = wrong === undefined ? reply.text : wrongText(reply.text, wrong.form);
  const contentType = wrong?.form === 'html' ? 'text/html' : reply.contentType;
  response.writeHead(reply.status, { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(text), ...reply.headers });
  if (slow === undefined) {
    // A text travels with its headers in one write, bytes in a second.
    response.end(text);
    return;
  }
  const body = Buffer.from(text);
  response.flushHeaders();
  for (let at = 0; at < body.length && !response.destroyed; at += slow.bytes) {
    response.write(body.subarray(at, at + slow.bytes));
    await clock.sleep(slow.everyMs);
  }
  response.end();
}

function wrongText(text: string, form: 'html' | 'half' | 'empty'): string {
  switch (form) {
    case 'html':
      return '<html><body>Bad gateway</body></html>\n';
    case 'half':
      return text.slice(0, Math.floor(text.length / 2));
    case 'empty':
      return '';
    default:
      return form satisfies never;
  }
}
