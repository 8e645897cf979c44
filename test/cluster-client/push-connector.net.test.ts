import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { pushConnector } from '../../src/cluster/push-connector.ts';

test('bytes that nobody reads in time are kept in order, though the read buffer is used again', async () => {
  const peer = Promise.withResolvers<Socket>();
  const server = createServer((socket) => peer.resolve(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const connected = Promise.withResolvers<Socket>();
  pushConnector({})({ protocol: 'http:', hostname: '127.0.0.1', host: '127.0.0.1', port: String((server.address() as AddressInfo).port) }, (error, socket) => {
    if (error === null) connected.resolve(socket);
    else connected.reject(error);
  });
  const socket = await connected.promise;
  const writer = await peer.promise;
  const parts = ['first,', 'second,', 'third,'];
  for (const [i, part] of parts.entries()) {
    const arrived = new Promise((resolve) => socket.once('readable', resolve));
    writer.write(part);
    await arrived;
    expect(socket.bytesRead).toBe(parts.slice(0, i + 1).join('').length);
  }
  const read: string[] = [];
  for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) read.push(chunk.toString());
  expect(read).toEqual(parts);
  const ended = new Promise((resolve) => socket.once('end', resolve));
  writer.end();
  await ended;
  socket.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});
