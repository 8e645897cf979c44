import type { Logger } from '../kit/log.ts';
import { apiVersionOf, type Kind, kindId, type Scope } from '../model/kind.ts';
import { type Failure, httpStatusOf } from './failure.ts';
import type { Note } from './state.ts';

/** Writes what the machine noted. A repeated failure grows louder with the delay it has reached, not with each try. */
export function writeNote(log: Logger, target: { readonly kind: Kind; readonly scope: Scope }, note: Note): void {
  switch (note.what) {
    case 'failed': {
      const { failure, delayMs, failures, during, go } = note;
      const fields = { ...fieldsOf(failure), during, next: go, failures, delayMs: Math.round(delayMs), ...hint(target, failure) };
      log[loudness(delayMs, failure)](sentence(failure), fields);
      break;
    }
    case 'fallback':
      log.info('a list of this kind is fetched another way', { from: note.from, to: note.to, ...fieldsOf(note.failure) });
      break;
    case 'restarted':
      log.info('a list of this kind is begun again', fieldsOf(note.failure));
      break;
    case 'regressed':
      log.warn('the history of the cluster went back: it was restored, or another cluster answers; this kind is listed again', {
        known: note.known,
        found: note.found,
      });
      break;
    case 'lateBookmark':
      if (note.events === 0) log.warn('a streaming list has sent nothing yet', { silentMs: note.silentMs });
      else
        log.warn('a streaming list has not said yet that its initial events are complete', {
          events: note.events,
          lastEventMsAgo: note.silentMs,
        });
      break;
  }
}

/** By the delay reached: about the first failure in a row, the third, the fifth, and those at the cap. A refused right is never only whispered. */
export function loudness(delayMs: number, failure: Failure): 'debug' | 'info' | 'warn' | 'error' {
  if (delayMs >= 25_600) return 'error';
  const status = httpStatusOf(failure);
  if (delayMs >= 6_400 || status === 401 || status === 403) return 'warn';
  return delayMs >= 1_600 ? 'info' : 'debug';
}

function sentence(failure: Failure): string {
  switch (httpStatusOf(failure)) {
    case 401:
      return 'the API server does not accept the credentials; nothing of this kind is changed until it does';
    case 403:
      return 'the API server forbids this kind; nothing of it is changed or deleted until it is allowed';
    case 404:
      return 'the API server does not know this kind, which may be gone; it is asked again';
    case 405:
      return 'the API server cannot list or watch this kind; it is asked again';
    case 410:
      return 'the revision of this kind is too old for the API server; a list follows';
    default:
      return 'the API server could not be followed for this kind; it is asked again';
  }
}

function fieldsOf(failure: Failure): Record<string, unknown> {
  const fields = { error: failure.message, cause: failure.kind };
  if (failure.kind === 'answer') return { ...fields, status: failure.status, reason: failure.reason };
  return failure.kind === 'network' && failure.code !== '' ? { ...fields, code: failure.code } : fields;
}

/** What to grant, in the words of a role. */
function hint(target: { readonly kind: Kind; readonly scope: Scope }, failure: Failure): Record<string, unknown> {
  if (httpStatusOf(failure) !== 403) return {};
  const { kind, scope } = target;
  const where = scope === '' ? 'a ClusterRole' : `a Role in namespace ${scope}`;
  return {
    resource: kindId(kind),
    apiVersion: apiVersionOf(kind),
    grant: `${where} with apiGroups ["${kind.group}"], resources ["${kind.resource}"], verbs ["get", "list", "watch"]; kubefold rbac prints the whole role`,
  };
}
