import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';

const load = (text: string) => loadConfig({ text, file: 'kubefold.yaml' });
const BCS = 'storage: { url: "bcs+http://storage:50024" }\n';

test('nobody is asked for IP pools unless servers are named', () => {
  expect(load(BCS).netservice).toEqual({ endpoints: null, zookeeper: null, zookeeperAuthFile: null });
  expect(load(`${BCS}netservice: { endpoints: ["http://ns-1:8080", "https://[::1]:8443/"] }`).netservice.endpoints).toHaveLength(2);
});

test('IP pools need the storage service, and the message says so', () => {
  expect(() => load('netservice: { endpoints: ["http://ns-1:8080"] }')).toThrow(
    'kubefold.yaml:1:26: netservice.endpoints must stay out unless storage.url is bcs+http or bcs+https, found a list. Only that service has documents for IP pools: remove it, or correct storage.url.',
  );
});

test('a ZooKeeper is named by its servers, needs the storage service too, and stands instead of endpoints', () => {
  const found = load(`${BCS}netservice: { zookeeper: ["zk-1:2181", "10.0.0.7:2181"], zookeeperAuthFile: /run/zk }`).netservice;
  expect(found).toEqual({ endpoints: null, zookeeper: ['zk-1:2181', '10.0.0.7:2181'], zookeeperAuthFile: '/run/zk' });
  expect(() => load('netservice: { zookeeper: ["zk-1:2181"] }')).toThrow(/netservice\.zookeeper must stay out unless storage\.url is bcs\+http/);
  expect(() => load(`${BCS}netservice: { zookeeper: ["zk-1:2181"], endpoints: ["http://ns:1"] }`)).toThrow(
    'netservice.zookeeper must stay out while netservice.endpoints names servers, found a list. Keep one of them: endpoints are asked as they are, without ZooKeeper.',
  );
  expect(() => load(`${BCS}netservice: { zookeeperAuthFile: /run/zk }`)).toThrow(
    /netservice\.zookeeperAuthFile must stay out unless netservice\.zookeeper is set, found "\/run\/zk"/,
  );
});

test.each(['zk-1', 'zk-1:99999', 'zk-1:0', 'zk-1:2181/root', '[::1]:2181', 'zk://zk-1:2181', ':2181', 'a b:1'])(
  '%s is no address of a ZooKeeper',
  (address) => {
    expect(() => load(`${BCS}netservice: { zookeeper: ["${address}"] }`)).toThrow(
      /netservice\.zookeeper\[0\] must be HOST:PORT, and nothing around, found .*For example zk-1:2181\./,
    );
  },
);

test.each(['ns-1:8080', 'zk://ns-1:2181', 'http://ns-1:8080/v1', 'http://user:word@ns-1:8080', 'http://ns-1:80800', 'http://'])(
  '%s is no address of a NetService',
  (address) => {
    expect(() => load(`${BCS}netservice: { endpoints: ["${address}"] }`)).toThrow(
      /netservice\.endpoints\[0\] must be http:\/\/HOST:PORT or https:\/\/HOST:PORT, and nothing behind, found .*For example http:\/\/netservice-1:8080\./,
    );
  },
);
