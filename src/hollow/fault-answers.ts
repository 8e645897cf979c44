import type { Effect } from './faults.ts';
import type { Sink } from './sink.ts';
import { Refusal, refusal } from './status.ts';

/** The refusal that a fault asks for. */
export function rejection({ status, retryAfterSeconds, text }: Extract<Effect, { type: 'reject' }>): Refusal {
  if (text === true) return new Refusal(status, 'Too many requests, please try again later.\n', retryAfterSeconds ?? null);
  const reasons: Readonly<Record<number, string>> = {
    429: 'TooManyRequests',
    500: 'InternalError',
    503: 'ServiceUnavailable',
    504: 'Timeout',
    403: 'Forbidden',
    401: 'Unauthorized',
  };
  const reason = reasons[status];
  const message = status === 429 ? 'storage is (re)initializing' : `the hollow cluster was told to answer ${status}`;
  return refusal({
    code: status,
    ...(reason === undefined ? {} : { reason }),
    message,
    details: retryAfterSeconds === undefined ? {} : { retryAfterSeconds },
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}

/** 200 with something that nobody asked for. */
export function wrongContent(sink: Sink, form: 'table' | 'html'): void {
  if (form === 'html') sink.send({ type: 'text/html', body: '<html><body>Sign in</body></html>\n' });
  else
    sink.send({ body: JSON.stringify({ kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: { resourceVersion: '1' }, columnDefinitions: [], rows: [] }) });
}
