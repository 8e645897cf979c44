import * as v from 'valibot';
import { nonEmptyList, nullable, problem, section } from './schema-parts.ts';

const EXAMPLE = 'http://netservice-1:8080';
const FORM = /^https?:\/\/(?:[^\s:/@?#[\]]+|\[[0-9a-fA-F:.]+\])(?::[0-9]+)?\/?$/;

const endpoint = v.pipe(
  v.string(problem('must be the address of a NetService', `For example ${EXAMPLE}.`)),
  v.check(
    (text) => FORM.test(text) && URL.canParse(text),
    problem('must be http://HOST:PORT or https://HOST:PORT, and nothing behind', `For example ${EXAMPLE}.`),
  ),
);

/** What is read beside the cluster, on platforms that have it. */
export const netserviceSchema = section('IP pools of a NetService, as bcs-k8s-watch stored them. Needs a restart.', {
  endpoints: nullable(
    nonEmptyList(endpoint, 'endpoints', EXAMPLE),
    null,
    'Addresses, https with the files of storage.tls. Every 60 s one of them is asked for the pools of cluster.name, and its answers are stored as IPPoolStatic and IPPoolStaticDetail; needs a bcs+http or bcs+https storage. Servers are not looked up in ZooKeeper. Default null: nobody is asked.',
  ),
});

/** The pools are documents of the storage service, and no other engine has a place for them. */
export function netserviceProblem(netservice: { readonly endpoints: readonly string[] | null }, storageUrl: string): string | null {
  if (netservice.endpoints === null || /^bcs\+https?:/.test(storageUrl)) return null;
  return problem(
    'must stay out unless storage.url is bcs+http or bcs+https',
    'Only that service has documents for IP pools: remove it, or correct storage.url.',
  );
}
