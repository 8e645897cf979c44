import { describe, expect, test } from 'vitest';
import { documentBody, eventBody } from '../../../src/storage/bcs/documents.ts';
import { customIndexPath, customPath, documentPath, isEvent, listPath } from '../../../src/storage/bcs/routes.ts';
import { key } from '../build.ts';

const POD =
  '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web-1","namespace":"shop","uid":"6f1c","resourceVersion":"812","labels":{"app.kubernetes.io/name":"web"}},"spec":{"priority":9007199254740993},"status":{"phase":"Running"}}';
const NODE = '{"kind":"Node","apiVersion":"v1","metadata":{"name":"node-1","uid":"a1","resourceVersion":"9"},"spec":{}}';
const CUSTOM =
  '{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w","namespace":"shop","uid":"b2","resourceVersion":"10"},"spec":{"größe":"日本","n":1.0}}';
const EVENT =
  '{"kind":"Event","apiVersion":"v1","metadata":{"name":"web-1.17","namespace":"shop","uid":"e5","resourceVersion":"77","creationTimestamp":"2026-01-02T03:04:05Z"},"involvedObject":{"kind":"Pod","namespace":"shop","name":"web-1","uid":"6f1c"},"reason":"BackOff","message":"Back-off \\"x\\" <again>","source":{"component":"kubelet","host":"node-1"},"firstTimestamp":"2026-01-02T03:04:06Z","lastTimestamp":"2026-01-02T03:14:07Z","count":3,"type":"Warning","eventTime":null}';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const changed = (changes: object): Buffer => eventBody('BCS-K8S-1', Buffer.from(JSON.stringify({ ...JSON.parse(EVENT), ...changes })));
const timeOf = (body: Buffer): number => JSON.parse(text(body)).eventTime;

describe('what is sent (contract 2.4; 4.1 #26: the bytes are spliced, encoded once)', () => {
  test.each([
    ['a Pod', POD],
    ['a cluster-scoped kind', NODE],
    ['a custom kind', CUSTOM],
  ])('%s: {"data": …} around the stored bytes, whatever numbers and keys they hold', (_, object) => {
    expect(text(documentBody(Buffer.from(object)))).toBe(`{"data":${object}}`);
  });

  test('an Event: fields taken out of it, and the Event itself as it is', () => {
    expect(text(eventBody('BCS-K8S-1', Buffer.from(EVENT)))).toBe(
      '{"id":"","env":"k8s","kind":"Pod","level":"Warning","component":"kubelet","type":"BackOff","describe":"Back-off \\"x\\" <again>","clusterId":"BCS-K8S-1",' +
        `"eventTime":1767323647,"extraInfo":{"namespace":"shop","name":"web-1","kind":"Pod"},"data":${EVENT}}`,
    );
  });

  test('the time of an Event is the first of lastTimestamp, firstTimestamp, eventTime and creationTimestamp that is not zero', () => {
    expect(timeOf(changed({}))).toBe(Date.parse('2026-01-02T03:14:07Z') / 1000);
    expect(timeOf(changed({ lastTimestamp: null }))).toBe(Date.parse('2026-01-02T03:04:06Z') / 1000);
    expect(timeOf(changed({ lastTimestamp: '0001-01-01T00:00:00Z', firstTimestamp: null, eventTime: '2026-01-02T03:04:05.999999Z' }))).toBe(1_767_323_045);
    expect(timeOf(changed({ lastTimestamp: null, firstTimestamp: null }))).toBe(1_767_323_045);
  });

  test('an Event without any time or involved object has the old program’s zero, and empty fields', () => {
    const body = JSON.parse(text(eventBody('c', Buffer.from('{"metadata":{"name":"e"}}'))));
    expect(body).toMatchObject({ eventTime: -62_135_596_800, kind: '', level: '', component: '', extraInfo: { namespace: '', name: '', kind: '' } });
    expect(() => eventBody('c', Buffer.from('{"metadata":'))).toThrow(SyntaxError);
  });
});

describe('where it is sent', () => {
  test('namespaced and cluster-scoped kinds have routes of their own', () => {
    expect(documentPath('BCS-1', { type: 'Pod', namespaced: true }, key('shop/web-1'))).toBe(
      '/k8s/dynamic/namespace_resources/clusters/BCS-1/namespaces/shop/Pod/web-1',
    );
    expect(documentPath('BCS-1', { type: 'Node', namespaced: false }, key('node-1'))).toBe('/k8s/dynamic/cluster_resources/clusters/BCS-1/Node/node-1');
  });

  test('every part of a path and of a query is escaped (4.1 #31)', () => {
    expect(documentPath('a/b', { type: 'Röle', namespaced: true }, key('n?s/x#y%z: ü'))).toBe(
      '/k8s/dynamic/namespace_resources/clusters/a%2Fb/namespaces/n%3Fs/R%C3%B6le/x%23y%25z%3A%20%C3%BC',
    );
    expect(listPath('c', 'Pod', '', { field: 'a,b', resourceName: 'x&y=z' })).toBe(
      '/k8s/dynamic/cluster_resources/clusters/c/Pod?field=a%2Cb&resourceName=x%26y%3Dz',
    );
    expect(listPath('c', 'Pod', 'n s', {})).toBe('/k8s/dynamic/namespace_resources/clusters/c/namespaces/n%20s/Pod');
    expect([customPath('K/x'), customIndexPath('K', 'i/j')]).toEqual(['/dynamic/customresources/K%2Fx', '/dynamic/customresources/K/index/i%2Fj']);
  });

  test('only events of the core group go to the route of events', () => {
    expect([isEvent({ group: '', kind: 'Event' }), isEvent({ group: 'events.k8s.io', kind: 'Event' }), isEvent({ group: '', kind: 'Pod' })]).toEqual([
      true,
      false,
      false,
    ]);
  });
});
