import { messageOf } from '../model/errors.ts';
import type { Discovery } from './cluster.ts';
import type { DiscoveredGroup, DiscoveredVersion } from './discovered.ts';
import { AGGREGATED_ACCEPT, isAggregated, readAggregated } from './discovery-aggregated.ts';
import { readCoreVersions, readGroupList, readResourceList } from './discovery-legacy.ts';
import { groupVersionPath } from './paths.ts';
import { preferredKinds } from './preferred.ts';
import { RefusedError } from './response-handler.ts';

/** Fetches one discovery document as JSON; the caller bounds how many run at once. */
export type FetchDocument = (path: string, accept: string) => Promise<unknown>;

/** Two requests where the server has the aggregated document, else one per group and version. */
export async function discover(fetch: FetchDocument): Promise<Discovery> {
  const [core, named] = await Promise.all([groupsAt('/api', fetch), groupsAt('/apis', fetch)]);
  return preferredKinds([...core, ...named]);
}

async function groupsAt(path: '/api' | '/apis', fetch: FetchDocument): Promise<DiscoveredGroup[]> {
  let document: unknown;
  try {
    document = await fetch(path, AGGREGATED_ACCEPT);
  } catch (cause) {
    const status = cause instanceof RefusedError ? cause.refusal.error.status : 0;
    if (status !== 406 && status !== 404) throw cause;
    document = await fetch(path, 'application/json');
  }
  if (isAggregated(document)) return readAggregated(document);
  const groups = path === '/api' ? [readCoreVersions(document)] : readGroupList(document);
  return await Promise.all(
    groups.map(async (group) => ({
      name: group.name,
      versions: await Promise.all(group.versions.map((version) => legacyVersion(group.name, version, fetch))),
    })),
  );
}

/** One broken aggregated API (503, or no answer in time) must not hide the others; without the core group there is no cluster. */
async function legacyVersion(group: string, version: string, fetch: FetchDocument): Promise<DiscoveredVersion> {
  try {
    return { version, resources: readResourceList(await fetch(groupVersionPath(group, version), 'application/json'), group, version), broken: null };
  } catch (cause) {
    const isAnswer =
      cause instanceof RefusedError || (cause instanceof Error && 'code' in cause && cause.code === 'UND_ERR_HEADERS_TIMEOUT') || cause instanceof SyntaxError;
    if (group === '' || !isAnswer) throw cause;
    return { version, resources: [], broken: `its discovery failed: ${messageOf(cause)}` };
  }
}
