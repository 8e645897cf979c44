import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import type { Document } from 'yaml';

/** The repository. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const MANIFESTS = join(ROOT, 'manifests');

/** The text of one file of manifests/. */
export const manifest = (name: string): string => readFileSync(join(MANIFESTS, name), 'utf8');

/** The files at the top of manifests/. */
export const manifestFiles = (): readonly string[] => readdirSync(MANIFESTS).filter((name) => name.endsWith('.yaml'));

/** What a file says, read strictly: a duplicate key or a bad indent is an error. */
export function objectOf<T>(name: string): T {
  const documents: readonly Document.Parsed[] = parseAllDocuments(manifest(name), { strict: true, uniqueKeys: true });
  const problems = documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]);
  if (problems.length > 0 || documents.length !== 1) throw new Error(`${name} is not one valid YAML document: ${problems.map(String).join('; ')}`);
  return documents[0]?.toJS() as T;
}

/** The Deployment, as far as tests look into it. */
export interface Deployment {
  readonly spec: {
    readonly replicas: number;
    readonly strategy: { readonly type: string };
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: {
        readonly serviceAccountName: string;
        readonly terminationGracePeriodSeconds: number;
        readonly containers: readonly {
          readonly image: string;
          readonly args: readonly string[];
          readonly startupProbe: Probe;
          readonly livenessProbe: Probe;
          readonly readinessProbe: Probe;
          readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly subPath?: string }[];
        }[];
        readonly volumes: readonly {
          readonly name: string;
          readonly configMap?: { readonly name: string };
          readonly persistentVolumeClaim?: { readonly claimName: string };
        }[];
      };
    };
  };
}

export interface Probe {
  readonly exec: { readonly command: readonly string[] };
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly failureThreshold: number;
}

export interface ClusterRole {
  readonly metadata: { readonly name: string };
  readonly rules: readonly { readonly apiGroups?: readonly string[]; readonly resources?: readonly string[]; readonly verbs: readonly string[] }[];
}

/** Every kind that the shipped role lets kubefold list, by the id that configuration and metrics use: `pods`, `deployments.apps`. */
export function kindsOf(role: ClusterRole): readonly { readonly group: string; readonly resource: string }[] {
  return role.rules.flatMap(({ apiGroups = [], resources = [] }) => apiGroups.flatMap((group) => resources.map((resource) => ({ group, resource }))));
}
