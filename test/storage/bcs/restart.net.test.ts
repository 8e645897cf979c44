import { expect, test } from 'vitest';
import { BcsWorld, SMALL } from './bcs-world.ts';

const PODS = 10_000;
/** It reads every document in each round, on a clock that is hurried. */
const NO_AUDIT = { audit: { everySeconds: null } };

test('4.1 #9: a restart on 10,000 unchanged objects makes 0 PUTs, also when it has to list them all', async () => {
  await using world = await BcsWorld.start({ ...SMALL, pods: PODS, bytes: 100 });
  const first = await world.mirror(NO_AUDIT);
  await first.ready();
  expect(world.objects().filter(({ outcome }) => outcome === 'created').length).toBeGreaterThan(PODS);
  await first.stop();
  const before = world.objects().length;

  const second = await world.mirror(NO_AUDIT);
  await second.ready();
  await second.stop();
  expect(world.objects().length - before).toBe(0);

  // The watch of the pods cannot be gone on with: its history is compacted away.
  const [key = ''] = world.hollow.keys('pods');
  world.hollow.patch('pods', key, { metadata: { labels: { seen: 'yes' } } });
  world.hollow.compact();
  const third = await world.mirror(NO_AUDIT);
  await third.ready();
  await third.stop();
  expect(
    world
      .objects()
      .slice(before)
      .map(({ key: at }) => at.split('/').at(-1)),
  ).toEqual([key.split('/')[1]]);
}, 60_000);
