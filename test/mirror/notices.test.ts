import { expect, test } from 'vitest';
import { Notices } from '../../src/mirror/notices.ts';
import type { ConfigurationStatus, MirrorStatus, OwnShard, ShardsStatus } from '../../src/model/status.ts';
import { objectKey } from '../../src/model/key.ts';
import { kindIn, statusOf } from '../web/statuses.ts';

const CONFIGURATION: ConfigurationStatus = { version: 'a1b2', appliedAt: null, waitsForRestart: [], refused: null };
const configured = (over: Partial<ConfigurationStatus> = {}): MirrorStatus => statusOf([kindIn()], { configuration: { ...CONFIGURATION, ...over } });
const reasons = (notices: Notices, status: MirrorStatus): readonly string[] => notices.next(status).map(({ reason }) => reason);

test('nothing is said of a mirror without a configuration file in which all is well', () => {
  expect(new Notices().next(statusOf([kindIn()]))).toEqual([]);
  expect(new Notices().next(statusOf([kindIn()], { configuration: { ...CONFIGURATION, version: null } }))).toEqual([]);
});

test('the version in use is said at the start, and again when another one is applied, with what waits for a restart', () => {
  const notices = new Notices();
  expect(notices.next(configured())).toEqual([{ type: 'Normal', reason: 'ConfigurationApplied', message: 'configuration a1b2 is in use' }]);
  expect(notices.next(configured())).toEqual([]);
  const next = { version: 'c3d4', appliedAt: 5, waitsForRestart: ['storage.url', 'listen'] };
  expect(notices.next(configured(next))).toEqual([
    { type: 'Normal', reason: 'ConfigurationApplied', message: 'configuration c3d4 is in use; these keys wait for a restart: storage.url, listen' },
  ]);
  expect(notices.next(configured(next))).toEqual([]);
});

test('a refused version is said once with its reason, and the next one anew', () => {
  const notices = new Notices();
  notices.next(configured());
  const refused = { version: 'bad1', error: 'workers.default must be a whole number' };
  expect(notices.next(configured({ refused }))).toEqual([
    {
      type: 'Warning',
      reason: 'ConfigurationRefused',
      message: 'configuration bad1 is refused as a whole, a1b2 stays in use: workers.default must be a whole number',
    },
  ]);
  expect(notices.next(configured({ refused }))).toEqual([]);
  expect(reasons(notices, configured({ refused: { ...refused, version: 'bad2' } }))).toEqual(['ConfigurationRefused']);
  expect(notices.next(configured())).toEqual([]);
  expect(reasons(notices, configured({ refused }))).toEqual(['ConfigurationRefused']);
});

test('held deletions are said when they begin, not at each one more, and again after somebody has decided', () => {
  const notices = new Notices();
  const held = (count: number, since: number): MirrorStatus => statusOf([kindIn({ held: count, heldSince: since, firstHeld: objectKey('default', 'web') })]);
  expect(notices.next(held(60, 7))).toEqual([
    {
      type: 'Warning',
      reason: 'DeletionsHeld',
      message: '60 rows of pods whose objects are gone stay until somebody looks: kubefold confirm pods. The first is default/web',
    },
  ]);
  expect(notices.next(held(61, 7))).toEqual([]);
  expect(notices.next(statusOf([kindIn()]))).toEqual([]);
  expect(reasons(notices, held(60, 9))).toEqual(['DeletionsHeld']);
});

test('parked objects are said once for each kind, with the first of them and its error', () => {
  const notices = new Notices();
  const firstParked = { key: objectKey('default', 'big'), error: 'too large' };
  const parked = (count: number): MirrorStatus => statusOf([kindIn({ parked: count, firstParked }), kindIn({ id: 'nodes', parked: 1, firstParked })]);
  expect(notices.next(parked(1)).map(({ message }) => message)).toEqual([
    'storage refuses objects of pods, 1 now: kubefold parked list. The first is default/big: too large',
    'storage refuses objects of nodes, 1 now: kubefold parked list. The first is default/big: too large',
  ]);
  expect(notices.next(parked(2))).toEqual([]);
});

test('the pod that begins to write says so, with its epoch', () => {
  const notices = new Notices();
  const led = (epoch: number | null): MirrorStatus =>
    statusOf([], { leadership: { role: epoch === null ? 'standby' : 'leader', identity: 'me', holder: 'me', epoch } });
  expect(notices.next(led(null))).toEqual([]);
  expect(notices.next(led(4))).toEqual([{ type: 'Normal', reason: 'Leading', message: 'this pod writes the copy, with epoch 4' }]);
  expect(notices.next(led(4))).toEqual([]);
});

test('the pod that takes a shard says so, and why it gives one back, each once', () => {
  const notices = new Notices();
  const own = (index: number): OwnShard => ({ index, epoch: 7, since: 5, phase: 'live', splitBy: null });
  const shared = (over: Partial<ShardsStatus>): MirrorStatus =>
    statusOf([], { shards: { count: 4, identity: 'me', members: 1, holders: [], own: [own(0), own(2)], given: [], waits: null, ...over } });
  expect(notices.next(shared({ own: [] }))).toEqual([]);
  expect(notices.next(shared({})).map(({ message }) => message)).toEqual([
    'this pod writes shard 0 of 4, with epoch 7',
    'this pod writes shard 2 of 4, with epoch 7',
  ]);
  const gave = shared({ own: [own(0)], given: [{ index: 2, at: 9, why: 'another one came' }] });
  expect(notices.next(gave)).toEqual([{ type: 'Normal', reason: 'ShardGivenBack', message: 'this pod gives shard 2 of 4 back: another one came' }]);
  expect(notices.next(gave)).toEqual([]);
});

test('a message is never longer than the API server takes', () => {
  const [notice] = new Notices().next(configured({ version: 'v'.repeat(3_000) }));
  expect(notice?.message).toHaveLength(1_024);
});
