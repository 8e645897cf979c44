export const CRDS = 'customresourcedefinitions.apiextensions.k8s.io';
export const WIDGETS = 'widgets.example.com';

/** The definition of Widgets in these versions, of which `storage` is the stored one: the first unless another is named. */
export function widgetCrd(versions: readonly string[] = ['v1'], storage: string = versions[0] ?? ''): Record<string, unknown> {
  return {
    metadata: { name: WIDGETS },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
      versions: versions.map((name) => ({ name, served: true, storage: name === storage, schema: { openAPIV3Schema: { type: 'object' } } })),
    },
  };
}
