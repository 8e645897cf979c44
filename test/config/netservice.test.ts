import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';

const load = (text: string) => loadConfig({ text, file: 'kubefold.yaml' });
const BCS = 'storage: { url: "bcs+http://storage:50024" }\n';

test('nobody is asked for IP pools unless servers are named', () => {
  expect(load(BCS).netservice).toEqual({ endpoints: null });
  expect(load(`${BCS}netservice: { endpoints: ["http://ns-1:8080", "https://[::1]:8443/"] }`).netservice.endpoints).toHaveLength(2);
});

test('IP pools need the storage service, and the message says so', () => {
  expect(() => load('netservice: { endpoints: ["http://ns-1:8080"] }')).toThrow(
    'kubefold.yaml:1:26: netservice.endpoints must stay out unless storage.url is bcs+http or bcs+https, found a list. Only that service has documents for IP pools: remove it, or correct storage.url.',
  );
});

test.each(['ns-1:8080', 'zk://ns-1:2181', 'http://ns-1:8080/v1', 'http://user:word@ns-1:8080', 'http://ns-1:80800', 'http://'])(
  '%s is no address of a NetService',
  (address) => {
    expect(() => load(`${BCS}netservice: { endpoints: ["${address}"] }`)).toThrow(
      /netservice\.endpoints\[0\] must be http:\/\/HOST:PORT or https:\/\/HOST:PORT, and nothing behind, found .*For example http:\/\/netservice-1:8080\./,
    );
  },
);
