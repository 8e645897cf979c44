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

/** What an installation is made from, by its place in manifests/. */
export const OVERLAYS = ['overlays/sqlite', 'overlays/bcs-http', 'overlays/development'] as const;
export const COMPONENTS = ['components/serving'] as const;

/** The YAML files of a folder of manifests/, without those of folders in it. */
export const filesOf = (folder: string): readonly string[] => readdirSync(join(MANIFESTS, folder)).filter((name) => name.endsWith('.yaml'));

/** What a kustomization.yaml names, as far as tests look into it. */
export interface Kustomization {
  readonly resources?: readonly string[];
  readonly components?: readonly string[];
  readonly configMapGenerator?: readonly { readonly files: readonly string[] }[];
  readonly patches?: readonly { readonly path: string }[];
}

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
        readonly securityContext: object;
        readonly containers: readonly {
          readonly image: string;
          readonly args: readonly string[];
          readonly env: readonly { readonly name: string }[];
          readonly resources: { readonly limits: Readonly<Record<string, string>> };
          readonly startupProbe: Probe;
          readonly livenessProbe: Probe;
          readonly readinessProbe: Probe;
          readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly subPath?: string }[];
        }[];
        readonly volumes: readonly {
          readonly name: string;
          readonly configMap?: { readonly name: string };
          readonly emptyDir?: { readonly sizeLimit: string } | null;
          readonly secret?: { readonly secretName: string };
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
  readonly rules: readonly PolicyRule[];
}

export interface PolicyRule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly verbs: readonly string[];
}

/** Every kind that the shipped role lets kubefold list, by the id that configuration and metrics use: `pods`, `deployments.apps`. */
export function kindsOf(role: ClusterRole): readonly { readonly group: string; readonly resource: string }[] {
  return role.rules.flatMap(({ apiGroups = [], resources = [] }) => apiGroups.flatMap((group) => resources.map((resource) => ({ group, resource }))));
}
