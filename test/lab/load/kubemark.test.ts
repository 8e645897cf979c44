import { describe, expect, test } from 'vitest';
import { Kubemark, type KubemarkStep, POD_LIFE } from '../../../src/lab/load/kubemark.ts';
import { KUBEMARK_SHAPES, namespaceSizes, servicesOf } from '../../../src/lab/load/kubemark-shape.ts';
import { loadOf } from '../../../src/lab/load/loads.ts';
import { RECORDED } from './recording.ts';

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);

describe('the namespaces of a Kubemark cluster', () => {
  test('are a quarter large, a quarter about 400 pods and half about 50, with 40,000 pods in 50 of them', () => {
    const sizes = namespaceSizes(KUBEMARK_SHAPES['kubemark-5000']);
    expect(sizes).toHaveLength(50);
    expect(sum(sizes)).toBe(40_000);
    expect(sizes.filter((size) => size > 1_000)).toHaveLength(12);
    expect(sizes.filter((size) => size === 400)).toHaveLength(13);
    expect(sizes.filter((size) => size === 50)).toHaveLength(25);
  });

  test('keep their proportions and their sum in every preset, and services follow the pods', () => {
    for (const shape of Object.values(KUBEMARK_SHAPES)) {
      const sizes = namespaceSizes(shape);
      expect(sum(sizes)).toBe(shape.pods);
      expect(Math.min(...sizes)).toBeGreaterThan(0);
      const services = servicesOf(sizes, shape.services);
      expect(sum(services)).toBe(shape.services);
      expect(Math.min(...services)).toBeGreaterThan(0);
      expect(services[0]).toBe(Math.max(...services));
    }
  });

  test('are refused when there are more of them than pods or services', () => {
    expect(() => namespaceSizes({ pods: 10, namespaces: 50 })).toThrow('Cannot share out 10 pods over 50 namespaces');
    expect(() => servicesOf([5, 5, 5], 2)).toThrow('Cannot share out 2 services over 3 namespaces');
  });
});

describe('a Kubemark cluster', () => {
  const shape = { nodes: 200, pods: 2_000, services: 40, namespaces: 10, podsPerSecond: 20, durationMs: 60_000 };

  test('lets every pod live through the steps that a watcher sees, in their order, none twice', () => {
    const lives = new Map<number, string[]>();
    for (const step of new Kubemark(shape, 3).steps()) {
      if (step.of !== 'pod') continue;
      const life = lives.get(step.number) ?? [];
      life.push(step.step);
      lives.set(step.number, life);
    }
    const whole: string[][] = [];
    for (const [pod, life] of lives) {
      const order = life.map((step) => POD_LIFE.indexOf(step as (typeof POD_LIFE)[number]));
      expect(order, `pod ${pod}`).toEqual([...new Set(order)].sort((a, b) => a - b));
      expect(life[0], `pod ${pod}`).toBe(pod < shape.pods ? 'terminating' : 'created');
      if (life.includes('created') && life.includes('removed')) whole.push(life);
    }
    expect(whole.length).toBeGreaterThan(10);
    // As many as a real API server sent, and one less where running and ready are one (controller-semantics.md section 6.3: 7 to 10).
    const recorded = sum(Object.values(RECORDED.kubelet));
    const counts = whole.map((life) => life.length);
    expect(Math.min(...counts)).toBe(recorded - 1);
    expect(Math.max(...counts)).toBe(recorded);
    // What kwok's nodes leave out of it: the sandbox, running apart from ready, and the end of the containers.
    expect(recorded - 3).toBe(sum(Object.values(RECORDED.kwok)));
    for (const life of whole) {
      expect(life.slice(0, 4)).toEqual(['created', 'bound', 'accepted', 'sandbox']);
      expect(life.slice(-4)).toEqual(['terminating', 'ended', 'released', 'removed']);
    }
  });

  test('has hollow nodes that renew leases every 10 s and post status every 5 min', () => {
    const long = { ...shape, durationMs: 300_000, podsPerSecond: 0 };
    const count = new Map<string, number>();
    for (const { of } of new Kubemark(long).steps()) count.set(of, (count.get(of) ?? 0) + 1);
    expect(count.get('lease')).toBe(200 * 30);
    expect(count.get('node')).toBe(200);
    expect(count.has('pod')).toBe(false);
    expect(count.has('slice')).toBe(false);
  });

  test('lets endpoints follow the pods behind a service within half a second, gathered', () => {
    const cluster = new Kubemark({ ...shape, podsPerSecond: 100 }, 4);
    const open = new Map<number, number>();
    let slices = 0;
    let changes = 0;
    for (const step of cluster.steps()) {
      if (step.of === 'slice') {
        slices++;
        expect(step.atMs - (open.get(step.number) ?? Number.NaN)).toBeCloseTo(500, 6);
        open.delete(step.number);
      } else if (step.of === 'pod' && (step.step === 'ready' || step.step === 'terminating')) {
        changes++;
        const service = cluster.serviceOf(step.number);
        if (!open.has(service)) open.set(service, step.atMs);
      }
    }
    expect(slices).toBeGreaterThan(100);
    expect(slices).toBeLessThan(changes / 2);
  });

  test('lets as many pods go as come, each in the place of the other', () => {
    const cluster = new Kubemark(shape, 5);
    const services = new Map<number, number>();
    let pods = shape.pods;
    for (const step of cluster.steps()) {
      if (step.of !== 'pod') continue;
      if (step.step === 'created') pods++;
      if (step.step === 'removed') pods--;
      const service = cluster.serviceOf(step.number);
      expect(service).toBe(services.get(step.number) ?? service);
      services.set(step.number, service);
      expect(service).toBeLessThan(shape.services);
    }
    expect(Math.abs(pods - shape.pods)).toBeLessThan(20 * 10);
  });

  test('makes five Events a pod life', () => {
    const events = new Map<number, string[]>();
    const removed = new Set<number>();
    const steps: readonly KubemarkStep[] = [...new Kubemark(shape, 6).steps()];
    for (const step of steps) {
      if (step.of === 'event') events.set(step.pod, [...(events.get(step.pod) ?? []), step.reason]);
      if (step.of === 'pod' && step.step === 'removed' && step.number >= shape.pods) removed.add(step.number);
    }
    expect(removed.size).toBeGreaterThan(10);
    for (const pod of removed) expect(events.get(pod)?.toSorted()).toEqual(['Created', 'Killing', 'Pulled', 'Scheduled', 'Started']);
  });

  test('of 5,000 nodes changes at the rate that is known of such clusters', () => {
    const load = loadOf('kubemark-5000', { durationMs: 20_000 });
    const byKind = new Map<string, number>();
    for (const { kind } of load.changes()) byKind.set(kind.resource, (byKind.get(kind.resource) ?? 0) + 1);
    const perSecond = (resource: string): number => (byKind.get(resource) ?? 0) / 20;
    expect(perSecond('leases')).toBeCloseTo(500, 0);
    expect(perSecond('nodes')).toBeGreaterThan(10);
    expect(perSecond('nodes')).toBeLessThan(25);
    // 150 to 200 when lives that begin and lives that end are in balance; the first seconds have fewer.
    expect(perSecond('pods')).toBeGreaterThan(120);
    expect(perSecond('pods')).toBeLessThan(200);
    expect([...load.initial()]).toHaveLength(load.objects);
  });
});
