import type { IncomingMessage, ServerResponse } from 'node:http';
import { carriesBearer } from '../kit/bearer.ts';
import type { Clock } from '../kit/clock.ts';
import { messageOf } from '../model/errors.ts';
import { failure, RequestError } from './envelope.ts';
import type { Effect, Faults } from './faults.ts';
import { parseTarget, readBody, type Route, type StorageRequest, type WatchRoute } from './request.ts';
import { ROOT, route } from './routes.ts';
import { JSON_TYPE, type Reply, send, TEXT_TYPE } from './sender.ts';
import type { Service } from './service.ts';
import type { StatsCounter } from './stats.ts';
import type { WatchBus } from './watch-bus.ts';
import { parseWatchRequest, WATCH_BREAK } from './watch-frames.ts';

export interface RequestsOptions {
  readonly service: Service;
  readonly faults: Faults;
  readonly watches: WatchBus;
  readonly stats: StatsCounter;
  readonly clock: Clock;
  /** The bearer token that is wanted now; null: none is asked for. */
  readonly token: (() => string | null) | null;
}

/** What one request goes through: its body, the faults, its route, its answer. */
export class Requests {
  readonly #options: RequestsOptions;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /** Never rejects: whatever a request does to us stays its own trouble. */
  async handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {});
    try {
      await this.#handle(message, response);
    } catch {
      // The client went away in the middle of its body, or of our answer.
      response.destroy();
    }
  }

  async #handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const { faults, stats, clock, token } = this.#options;
    const { method = 'GET', url = '/' } = message;
    if (token !== null && !carriesBearer(message.headers.authorization, token())) {
      message.resume();
      const headers = { 'WWW-Authenticate': 'Bearer', Connection: 'close' };
      return await send(response, { ...text(401, 'a bearer token is needed here\n'), headers }, [], clock);
    }
    const body = await readBody(message);
    const target = parseTarget(url);
    if (target === null) return await send(response, text(400, 'the path of the request cannot be read\n'), [], clock);
    const isOurs = ROOT.every((segment, at) => target.segments[at] === segment);
    if (!isOurs) return await send(response, text(404, '404: Page Not Found\n'), [], clock);
    const request: StorageRequest = { method, segments: target.segments.slice(ROOT.length), params: target.params, body };
    const found = this.#route(request);
    if (found === 'unknown') return await send(response, text(404, '404: Page Not Found\n'), [], clock);
    if (found === 'method') return await send(response, text(405, '405: Method Not Allowed\n'), [], clock);
    if ('collection' in found) return this.#watch(found, request, response);
    stats.began();
    try {
      await this.#answer(found, response, faults.hit(method, `/${target.segments.join('/')}`));
    } finally {
      stats.ended(method);
    }
  }

  /** A route that cannot even be chosen, for its body cannot be read, is a route that fails. */
  #route(request: StorageRequest): ReturnType<typeof route> {
    try {
      return route(this.#options.service, request);
    } catch (cause) {
      const run = (): never => {
        throw cause;
      };
      return { kind: 'list', shape: 'list', run };
    }
  }

  async #answer(found: Route, response: ServerResponse, effects: readonly Effect[]): Promise<void> {
    const { faults, clock } = this.#options;
    const delayMs = faults.latencyMs() + sumOfDelays(effects, 'before');
    if (delayMs > 0) await clock.sleep(delayMs);
    if (isReset(response, effects, 'before')) return;
    if (hangs(effects, 'before')) return await gone(response);
    const status = effects.find((effect) => effect.type === 'status');
    const refused = status !== undefined && status.body !== 'success';
    let reply: Reply;
    if (refused) reply = refusal(found, status);
    else if (effects.some((effect) => effect.type === 'refuse')) reply = json(failure(found.kind, 'The service was told to refuse.', found.shape));
    else reply = json(await run(found));
    if (status?.body === 'success') reply = { ...reply, status: status.status, ...retryAfter(status) };
    const afterMs = sumOfDelays(effects, 'after');
    if (afterMs > 0) await clock.sleep(afterMs);
    if (isReset(response, effects, 'after')) return;
    if (hangs(effects, 'after')) return await gone(response);
    await send(response, reply, effects, clock);
  }

  #watch(found: WatchRoute, request: StorageRequest, response: ServerResponse): void {
    const asked = found.cluster === '' ? null : parseWatchRequest(request.body?.toString() ?? '');
    if (asked === null) {
      response.writeHead(200, { 'Content-Type': JSON_TYPE });
      response.end(WATCH_BREAK);
      return;
    }
    this.#options.watches.open(found, asked, response);
  }
}

/** The envelope of a route, whatever happens in it. */
async function run(found: Route): Promise<string> {
  try {
    return await found.run();
  } catch (cause) {
    if (cause instanceof RequestError) return failure(cause.kind === 'query' ? found.kind : cause.kind, cause.message, found.shape);
    return failure(found.kind, messageOf(cause), found.shape);
  }
}

type StatusEffect = Extract<Effect, { type: 'status' }>;

function refusal(found: Route, effect: StatusEffect): Reply {
  const message = `The service was told to answer ${effect.status}.`;
  const reply = effect.body === 'text' ? text(effect.status, `${message}\n`) : json(failure(found.kind, message, found.shape));
  return { ...reply, status: effect.status, ...retryAfter(effect) };
}

function retryAfter({ retryAfterSeconds }: StatusEffect): { readonly headers?: Readonly<Record<string, string>> } {
  return retryAfterSeconds === undefined ? {} : { headers: { 'Retry-After': String(retryAfterSeconds) } };
}

function sumOfDelays(effects: readonly Effect[], when: 'before' | 'after'): number {
  return effects.reduce((sum, effect) => (effect.type === 'delay' && effect.when === when ? sum + effect.ms : sum), 0);
}

/** Whether a fault has cut the connection. */
function isReset(response: ServerResponse, effects: readonly Effect[], when: 'before' | 'after'): boolean {
  const isHit = effects.some((effect) => effect.type === 'reset' && effect.when === when);
  if (isHit) response.socket?.resetAndDestroy();
  return isHit;
}

function hangs(effects: readonly Effect[], when: 'before' | 'after'): boolean {
  return effects.some((effect) => effect.type === 'hang' && effect.when === when);
}

/** Resolves when the client has gone. */
function gone(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) resolve();
    else response.once('close', () => resolve());
  });
}

function json(body: string): Reply {
  return { status: 200, contentType: JSON_TYPE, text: body };
}

function text(status: number, body: string): Reply {
  return { status, contentType: TEXT_TYPE, text: body };
}
