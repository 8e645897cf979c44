import * as v from 'valibot';
import { nonEmptyList, nullable, problem, section, text } from './schema-parts.ts';

const EXAMPLE = 'http://netservice-1:8080';
const FORM = /^https?:\/\/(?:[^\s:/@?#[\]]+|\[[0-9a-fA-F:.]+\])(?::[0-9]+)?\/?$/;

const endpoint = v.pipe(
  v.string(problem('must be the address of a NetService', `For example ${EXAMPLE}.`)),
  v.check(
    (text) => FORM.test(text) && URL.canParse(text),
    problem('must be http://HOST:PORT or https://HOST:PORT, and nothing behind', `For example ${EXAMPLE}.`),
  ),
);

const ZOOKEEPER = 'zk-1:2181';

/** `HOST:PORT`; addresses of IPv6 are not among them, for the client has no way to write one. */
export function isZookeeper(text: string): boolean {
  const [, port] = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?:([0-9]{1,5})$/.exec(text) ?? [];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65535;
}

const zookeeper = v.pipe(
  v.string(problem('must be the address of a ZooKeeper', `For example ${ZOOKEEPER}.`)),
  v.check(isZookeeper, problem('must be HOST:PORT, and nothing around', `For example ${ZOOKEEPER}.`)),
);

/** What is read beside the cluster, on platforms that have it. */
export const netserviceSchema = section('IP pools of a NetService, as bcs-k8s-watch stored them. Needs a restart.', {
  endpoints: nullable(
    nonEmptyList(endpoint, 'endpoints', EXAMPLE),
    null,
    'Addresses, https with the files of storage.tls. Every 60 s one of them is asked for the pools of cluster.name, and its answers are stored as IPPoolStatic and IPPoolStaticDetail; needs a bcs+http or bcs+https storage. Default null: nobody is asked, or those in zookeeper.',
  ),
  zookeeper: nullable(
    nonEmptyList(zookeeper, 'servers of a ZooKeeper', ZOOKEEPER),
    null,
    'Servers of the ZooKeeper under which the NetServices register themselves (/bcs/services/endpoints/netservice), instead of endpoints. Who comes and goes there is followed; while it cannot be asked those known before are. Default null.',
  ),
  zookeeperAuthFile: nullable(
    text('The path of a file.'),
    null,
    'File with user:password, for a ZooKeeper in which only that user may read the registrations, as a platform may have built it into its programs. Default null.',
  ),
});

interface Netservice {
  readonly endpoints: readonly string[] | null;
  readonly zookeeper: readonly string[] | null;
  readonly zookeeperAuthFile: string | null;
}

/** What cannot be together. The pools are documents of the storage service, and no other engine has a place for them. */
export function netserviceProblems(netservice: Netservice, storageUrl: string): readonly { readonly key: keyof Netservice; readonly message: string }[] {
  const { endpoints, zookeeper, zookeeperAuthFile } = netservice;
  const isBcs = /^bcs\+https?:/.test(storageUrl);
  const noPlace = problem(
    'must stay out unless storage.url is bcs+http or bcs+https',
    'Only that service has documents for IP pools: remove it, or correct storage.url.',
  );
  const found: { key: keyof Netservice; message: string }[] = [];
  for (const key of ['endpoints', 'zookeeper'] as const) if (netservice[key] !== null && !isBcs) found.push({ key, message: noPlace });
  if (endpoints !== null && zookeeper !== null)
    found.push({
      key: 'zookeeper',
      message: problem('must stay out while netservice.endpoints names servers', 'Keep one of them: endpoints are asked as they are, without ZooKeeper.'),
    });
  if (zookeeperAuthFile !== null && zookeeper === null)
    found.push({ key: 'zookeeperAuthFile', message: problem('must stay out unless netservice.zookeeper is set', 'Remove it, or name the ZooKeeper.') });
  return found;
}
