/** Objects in the key order of a real API server (1.36): built-in kinds in the order of the Go struct, custom ones sorted. */

const META =
  '"metadata":{"name":"p4k","namespace":"r5","uid":"bd4a1a4e-33a5-4c44-a04c-b21ff4a7a3a1","resourceVersion":"237","generation":1,"creationTimestamp":"2026-11-21T10:00:00Z",' +
  '"labels":{"app":"x","pod-template-hash":"7c5ddbdf54"},"annotations":{"note":"a \\"quoted\\" {\\"metadata\\":{\\"name\\":\\"wrong\\"}} text","unicode":"é日😀"},' +
  '"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"rs","uid":"99999999-0000-4000-8000-000000000000","controller":true}],' +
  '"managedFields":[{"manager":"kubectl","operation":"Update","apiVersion":"v1","time":"2026-11-21T10:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:labels":{".":{},"f:app":{}}},' +
  '"f:spec":{"f:containers":{"k:{\\"name\\":\\"c\\"}":{".":{},"f:image":{}}}}}}]}';
const REST =
  '"spec":{"containers":[{"name":"c","image":"registry.example.com/c:1","resources":{}}],"priority":0},"status":{"phase":"Running","podIPs":[{"ip":"10.1.2.3"}]}';

export const BUILT_IN_ITEM = `{${META},${REST}}`;
export const BUILT_IN_OBJECT = `{"kind":"Pod","apiVersion":"v1",${META},${REST}}`;

export const CUSTOM_OBJECT =
  '{"apiVersion":"demo.example.com/v1","kind":"Widget","metadata":{"annotations":{"a":"b"},"creationTimestamp":"2026-11-21T10:00:00Z","generation":1,"labels":{"name":"label","uid":"label"},' +
  '"managedFields":[{"apiVersion":"demo.example.com/v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{".":{},"f:size":{}}},"manager":"curl","operation":"Update","time":"2026-11-21T10:00:00Z"}],' +
  '"name":"w1","namespace":"r5","ownerReferences":[{"apiVersion":"v1","kind":"Owner","name":"owner","uid":"99999999-0000-4000-8000-000000000000"}],' +
  '"resourceVersion":"729","uid":"0b7ae9a5-2b3d-4f86-9d9f-a4b1e9b2a001"},"spec":{"size":3},"status":{}}';

export const BOOKMARK =
  '{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"730"},"spec":{"containers":null},"status":{}}}';
export const INITIAL_END =
  '{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"286","annotations":{"k8s.io/initial-events-end":"true"}},"spec":{"containers":null},"status":{}}}';
export const EXPIRED =
  '{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 298 (303)","reason":"Expired","code":410}}';
