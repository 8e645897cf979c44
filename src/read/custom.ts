import { ageOf } from './age.ts';
import { parseJsonPath } from './json-path.ts';
import { AGE, type Column, column, NAME, wideColumn } from './table.ts';
import { countAt, textAt, textsAt, type Tree, treesAt, valueAt } from './tree.ts';

/** The kind that a stored CustomResourceDefinition describes, as far as reading needs it. */
export interface CustomKind {
  readonly group: string;
  /** Plural. */
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly versions: readonly CustomVersion[];
}

interface CustomVersion {
  readonly name: string;
  readonly isStored: boolean;
  readonly columns: readonly Column[];
  /** Paths that a field selector may name, without the leading dot. */
  readonly fields: readonly string[];
}

/** Null for a definition that names no kind. Accepted names win over asked ones: they are what the API server answers to. */
export function customKindOf(crd: Tree): CustomKind | null {
  const group = textAt(crd, 'spec.group');
  const name = (field: string): string => textAt(crd, `status.acceptedNames.${field}`, textAt(crd, `spec.names.${field}`));
  const names = (field: string): readonly string[] =>
    valueAt(crd, 'status.acceptedNames.plural') ? textsAt(crd, `status.acceptedNames.${field}`) : textsAt(crd, `spec.names.${field}`);
  const [resource, kind] = [name('plural'), name('kind')];
  if (group === '' || resource === '' || kind === '') return null;
  const versions = treesAt(crd, 'spec.versions').map((version) => ({
    name: textAt(version, 'name'),
    isStored: version['storage'] === true,
    columns: columnsOf(version),
    fields: treesAt(version, 'selectableFields').map((field) => textAt(field, 'jsonPath').replace(/^\./, '')),
  }));
  return {
    group,
    resource,
    kind,
    namespaced: textAt(crd, 'spec.scope') !== 'Cluster',
    singular: name('singular') === '' ? kind.toLowerCase() : name('singular'),
    shortNames: names('shortNames'),
    categories: names('categories'),
    versions,
  };
}

/** The version that stored objects have; for an unknown one the version that the cluster stores. */
export function versionOf(kind: CustomKind, apiVersion: string | null): CustomVersion | undefined {
  const name = apiVersion?.split('/').at(-1);
  return kind.versions.find((version) => version.name === name) ?? kind.versions.find((version) => version.isStored) ?? kind.versions[0];
}

/** A CRD's own columns stand behind the name; without any it is name and age. */
function columnsOf(version: Tree): readonly Column[] {
  const own = treesAt(version, 'additionalPrinterColumns');
  return own.length === 0 ? [NAME, AGE] : [NAME, ...own.map(customColumn)];
}

function customColumn(definition: Tree): Column {
  const path = parseJsonPath(textAt(definition, 'jsonPath'));
  const type = textAt(definition, 'type', 'string');
  const make = countAt(definition, 'priority') > 0 ? wideColumn : column;
  return make(textAt(definition, 'name').toUpperCase(), (object, { nowMs }) => cellText(path?.first(object), type, nowMs));
}

/** As the API server makes cells: a value of another type than the column's is an empty cell, except that text takes everything. */
function cellText(value: unknown, type: string, nowMs: number): string {
  if (value === undefined || value === null) return '';
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? String(Math.trunc(value)) : '';
    case 'number':
      return typeof value === 'number' ? String(value) : '';
    case 'boolean':
      return typeof value === 'boolean' ? String(value) : '';
    case 'date':
      return typeof value !== 'string' ? '' : Number.isNaN(Date.parse(value)) ? '<invalid>' : ageOf(value, nowMs);
    default:
      return typeof value === 'object' ? JSON.stringify(value) : String(value);
  }
}
