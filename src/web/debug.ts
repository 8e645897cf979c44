import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { getHeapSnapshot } from 'node:v8';
import { systemClock } from '../kit/clock.ts';
import type { Control } from '../model/control.ts';

/** Keys of each kind that are shown unless `?keys=` asks for more. */
const SHOWN_KEYS = 100;
const PROFILE_SECONDS = 10;
const LONGEST_PROFILE_SECONDS = 120;

const ROUTES = `/debug/queues?keys=${SHOWN_KEYS}       keys that wait, are queued or held, by kind
/debug/profile?seconds=${PROFILE_SECONDS}    CPU profile, for Chrome's developer tools (.cpuprofile)
/debug/heap                  heap snapshot (.heapsnapshot): stops the process for seconds, doubles its memory, and holds
                             object bodies and credentials. Handle it like the credentials
`;

/** Only names of this machine: a page whose own name was made to lead here says that name. */
const LOOPBACK_HOST = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/i;
const LOOPBACK_ADDRESS = /^(?:127\.|::1$|::ffff:127\.)/;

export function isDebugPath(path: string): boolean {
  return path === '/debug' || path.startsWith('/debug/');
}

/**
 * Why this request gets nothing of /debug, null when it may have it: it must come from this machine, and not from a web page, for whoever reads a heap
 * snapshot reads everything.
 */
export function whyNoDebug({
  headers,
  socket,
}: Pick<IncomingMessage, 'headers'> & { readonly socket: { readonly remoteAddress?: string | undefined } }): string | null {
  if (!LOOPBACK_ADDRESS.test(socket.remoteAddress ?? '')) return '/debug is for this machine only';
  if (!LOOPBACK_HOST.test(headers.host ?? '')) return 'ask for 127.0.0.1, localhost or [::1]';
  const site = headers['sec-fetch-site'];
  if (headers.origin !== undefined || (site !== undefined && site !== 'none')) return 'requests of web pages are refused here: use curl';
  return null;
}

/** What goes on inside, for one who asks at a time. */
export class Debug {
  readonly #control: Pick<Control, 'queues'>;
  #isBusy = false;

  constructor(control: Pick<Control, 'queues'>) {
    this.#control = control;
  }

  /** Answers a request that whyNoDebug() has nothing against. */
  async answer(url: URL, response: ServerResponse): Promise<void> {
    if (url.pathname === '/debug') return end(response, 200, 'text/plain; charset=utf-8', ROUTES);
    if (url.pathname === '/debug/queues') {
      const queues = this.#control.queues(numberOf(url, 'keys', SHOWN_KEYS, 1_000_000));
      return end(response, 200, 'application/json', `${JSON.stringify({ queues }, null, 2)}\n`);
    }
    if (url.pathname !== '/debug/profile' && url.pathname !== '/debug/heap') return end(response, 404, 'text/plain; charset=utf-8', ROUTES);
    if (this.#isBusy) return end(response, 409, 'text/plain; charset=utf-8', 'a profile or a snapshot is being taken already\n');
    this.#isBusy = true;
    try {
      if (url.pathname === '/debug/heap') await sendHeap(response);
      else await sendProfile(response, numberOf(url, 'seconds', PROFILE_SECONDS, LONGEST_PROFILE_SECONDS));
    } finally {
      this.#isBusy = false;
    }
  }
}

async function sendHeap(response: ServerResponse): Promise<void> {
  const snapshot = getHeapSnapshot();
  response.writeHead(200, headersOf('application/json', 'kubefold.heapsnapshot'));
  await pipeline(snapshot, response);
}

/** Ends early when whoever asked is gone. */
async function sendProfile(response: ServerResponse, seconds: number): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const { Session } = await import('node:inspector/promises');
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    await systemClock.sleep(seconds * 1000, gone.signal);
    const { profile } = await session.post('Profiler.stop');
    response.writeHead(200, headersOf('application/json', 'kubefold.cpuprofile'));
    response.end(JSON.stringify(profile));
  } finally {
    session.disconnect();
  }
}

function numberOf(url: URL, name: string, fallback: number, most: number): number {
  const text = url.searchParams.get(name);
  return text !== null && /^[0-9]{1,9}$/.test(text) ? Math.min(Number(text), most) : fallback;
}

function headersOf(contentType: string, file: string): Record<string, string> {
  return {
    'Content-Type': contentType,
    'Content-Disposition': `attachment; filename="${file}"`,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  };
}

function end(response: ServerResponse, code: number, contentType: string, text: string): void {
  response.writeHead(code, { 'Content-Type': contentType, 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' });
  response.end(text);
}
