import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from '../support/until.ts';

export const STATIC_DATA = '{"poolnum":1,"activeip":2,"availableip":3,"reservedip":4}';
export const DETAIL_DATA = '[{"net":"10.0.0.0","mask":24,"gateway":"10.0.0.1","cluster":"BCS-K8S-1","active":["10.0.0.7"]}]';

type Answer = (response: ServerResponse, isDetail: boolean) => void;

/** As a NetService answers. */
export const good: Answer = (response, isDetail) =>
  void response.end(`{"type":${isDetail ? 5 : 9},"code":0,"message":"succ","data":${isDetail ? DETAIL_DATA : STATIC_DATA}}`);
export const withStatus =
  (status: number): Answer =>
  (response) => {
    response.statusCode = status;
    response.end('{}');
  };
export const silent: Answer = () => {};

/** Stands in for the old NetService, which is not to be had: its two routes over real HTTP. */
export class FakeNetService {
  readonly requests: IncomingMessage[] = [];
  /** For the static and the detailed query; the last goes on for ever, those before it answer once each. */
  static: Answer[] = [good];
  detail: Answer[] = [good];
  readonly #server = createServer((request, response) => {
    this.requests.push(request);
    const isDetail = request.url?.endsWith('?info=detail') === true;
    const answers = isDetail ? this.detail : this.static;
    (answers.length > 1 ? answers.shift() : answers[0])?.(response, isDetail);
  });

  static async start(): Promise<FakeNetService> {
    const fake = new FakeNetService();
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Requests so far. */
  asked(which: 'static' | 'detail'): number {
    return this.requests.filter(({ url }) => url?.includes('?') === (which === 'detail')).length;
  }

  async untilAsked(which: 'static' | 'detail', times: number): Promise<void> {
    await until(`${which} was asked ${times} times`, () => this.asked(which) >= times, { everyMs: 2, withinMs: 5_000 });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
