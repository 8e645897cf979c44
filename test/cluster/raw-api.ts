import { Agent, request } from 'undici';

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as JSON; throws when it is not. */
  json<T>(): T;
}

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly body?: unknown;
  /** Default `application/json`, for PATCH `application/merge-patch+json`. */
  readonly contentType?: string;
  /** Default that of the RawApi; null sends none. */
  readonly token?: string | null;
}

/** Requests to an API server past our own client: for writing, and for looking with other eyes. */
export class RawApi {
  readonly #url: string;
  readonly #token: string | null;
  readonly #agent: Agent;

  constructor(parts: { readonly url: string; readonly token?: string | undefined; readonly ca?: string | undefined }) {
    this.#url = parts.url;
    this.#token = parts.token ?? null;
    this.#agent = new Agent(parts.ca === undefined ? {} : { connect: { ca: parts.ca } });
  }

  /** One request, whatever the answer; rejects only when there is none. */
  async send(path: string, options: ApiRequest = {}): Promise<ApiAnswer> {
    const method = options.method ?? 'GET';
    const token = options.token === undefined ? this.#token : options.token;
    const type = options.contentType ?? (method === 'PATCH' ? 'application/merge-patch+json' : 'application/json');
    const answer = await request(`${this.#url}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: {
        accept: 'application/json',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(options.body === undefined ? {} : { 'content-type': type }),
      },
      body: options.body === undefined ? null : JSON.stringify(options.body),
    });
    const text = await answer.body.text();
    return { status: answer.statusCode, headers: answer.headers, text, json: <T>() => JSON.parse(text) as T };
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
