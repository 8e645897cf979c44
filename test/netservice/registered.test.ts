import { expect, test } from 'vitest';
import { registeredEndpoint, registrations } from '../../src/netservice/registered.ts';

const read = (text: string): ReturnType<typeof registeredEndpoint> => registeredEndpoint(Buffer.from(text));

test('servers are the children with a number of ten digits at the end, in its order', () => {
  expect(registrations(['_c_9-0000000010', 'lock', '_c_1-0000000002', '0000000003', 'x000000001'])).toEqual(['_c_1-0000000002', '_c_9-0000000010']);
  expect(registrations([])).toEqual([]);
});

test('a registration says scheme, ip and port, and may say more', () => {
  expect(read('{"ip":"10.0.0.7","port":8080,"scheme":"http","hostname":"ns","external_ip":"1.2.3.4"}')).toEqual({ endpoint: 'http://10.0.0.7:8080' });
  expect(read('{"ip":"fd00::7","port":443,"scheme":"https"}')).toEqual({ endpoint: 'https://[fd00::7]:443' });
});

test.each([
  ['', 'holds 0 bytes that are not JSON'],
  ['{"ip":"s3cret"', 'holds 14 bytes that are not JSON'],
  ['null', 'holds JSON that is no mapping'],
  ['"s3cret"', 'holds JSON that is no mapping'],
  ['{}', 'has no scheme that is http or https'],
  ['{"scheme":"s3cret","ip":"10.0.0.7","port":1}', 'has no scheme that is http or https'],
  ['{"scheme":"http","ip":"","port":1}', 'has no ip'],
  ['{"scheme":"http","ip":"me:s3cret@10.0.0.7","port":1}', 'has no ip'],
  ['{"scheme":"http","ip":"a:b","port":1}', 'has an ip that is none'],
  ['{"scheme":"http","ip":"10.0.0.7"}', 'has no port'],
  ['{"scheme":"http","ip":"10.0.0.7","port":"8080"}', 'has no port'],
  ['{"scheme":"http","ip":"10.0.0.7","port":0}', 'has no port'],
  ['{"scheme":"http","ip":"10.0.0.7","port":65536}', 'has no port'],
])('%s is no registration, and what it holds is not quoted', (text, problem) => {
  expect(read(text)).toEqual({ problem });
});
