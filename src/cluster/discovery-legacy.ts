import { type DiscoveredResource, record, records, text, texts } from './discovered.ts';

export interface LegacyGroup {
  readonly name: string;
  /** The preferred version first, the others in the server's order. */
  readonly versions: readonly string[];
}

/** Reads an APIVersions document (`/api`): the core group. */
export function readCoreVersions(document: unknown): LegacyGroup {
  return { name: '', versions: texts(record(document)['versions']) };
}

/** Reads an APIGroupList (`/apis`). */
export function readGroupList(document: unknown): LegacyGroup[] {
  return records(record(document)['groups']).map((group) => {
    const preferred = text(record(group['preferredVersion'])['version']);
    const versions = records(group['versions']).map((entry) => text(entry['version']));
    return {
      name: text(group['name']),
      versions: versions.includes(preferred) ? [preferred, ...versions.filter((version) => version !== preferred)] : versions,
    };
  });
}

/** Reads an APIResourceList (`/api/v1`, `/apis/G/V`); subresources (`pods/log`) are left out. */
export function readResourceList(document: unknown, group: string, version: string): DiscoveredResource[] {
  return records(record(document)['resources'])
    .filter((entry) => text(entry['name']) !== '' && !text(entry['name']).includes('/'))
    .map((entry) => ({
      group,
      version,
      resource: text(entry['name']),
      kind: text(entry['kind']),
      namespaced: entry['namespaced'] === true,
      singular: text(entry['singularName']) || text(entry['kind']).toLowerCase(),
      shortNames: texts(entry['shortNames']),
      categories: texts(entry['categories']),
      verbs: texts(entry['verbs']),
    }));
}
