import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newestManagedTime } from '../../src/json/managed-times.ts';
import { ObjectScanner } from '../../src/json/scanner.ts';
import { BUILT_IN_OBJECT, CUSTOM_OBJECT } from './samples.ts';

const newest = (text: string): number | null => newestManagedTime(Buffer.from(text), 0, Buffer.byteLength(text));
const iso = (text: string): string | null => {
  const ms = newest(text);
  return ms === null ? null : new Date(ms).toISOString();
};

describe('the newest time of managedFields', () => {
  test.each<[string, string, string | null]>([
    ['of one manager', '[{"manager":"a","time":"2026-11-21T10:00:00Z","fieldsV1":{}}]', '2026-11-21T10:00:00.000Z'],
    [
      'of several, the newest not the last, one of them for a subresource',
      '[{"manager":"a","time":"2026-11-21T10:00:00Z"},{"manager":"kubelet","operation":"Update","time":"2026-11-21T10:00:07Z","subresource":"status"},{"manager":"b","time":"2026-11-20T23:59:59Z"}]',
      '2026-11-21T10:00:07.000Z',
    ],
    ['with a fraction', '[{"time":"2026-11-21T10:00:00.123456Z"}]', '2026-11-21T10:00:00.123Z'],
    ['of another zone', '[{"time":"2026-11-21T12:00:00+02:00"},{"time":"2026-11-21T09:59:59Z"}]', '2026-11-21T10:00:00.000Z'],
    ['with white space everywhere', ' [ { "time" : "2026-11-21T10:00:00Z" , "manager" : "a" } , { } ] '.trim(), '2026-11-21T10:00:00.000Z'],
    ['under a key that is written with an escape', '[{"\\u0074ime":"2026-11-21T10:00:00Z"}]', '2026-11-21T10:00:00.000Z'],
    ['of a field that is called time', '[{"fieldsV1":{"f:time":{},"time":"2030-01-01T00:00:00Z"},"time":"2026-11-21T10:00:00Z"}]', '2026-11-21T10:00:00.000Z'],
    [
      'inside the name of a field',
      '[{"fieldsV1":{"k:{\\"time\\":\\"2030-01-01T00:00:00Z\\"}":{".":{}}},"time":"2026-11-21T10:00:00Z"}]',
      '2026-11-21T10:00:00.000Z',
    ],
    ['inside the name of a manager', '[{"manager":"\\"time\\":\\"2030-01-01T00:00:00Z\\"","time":"2026-11-21T10:00:00Z"}]', '2026-11-21T10:00:00.000Z'],
    ['of an entry without one', '[{"manager":"a"},{"manager":"b","time":null}]', null],
    ['that is no time', '[{"time":"yesterday"},{"time":"2026"},{"time":"2026-11-21"},{"time":1763719200},{"time":"2026-11-21T10:00:99Z"}]', null],
    ['of no manager', '[]', null],
    ['of null', 'null', null],
    ['of what is no array', '{"time":"2026-11-21T10:00:00Z"}', null],
    ['of damage, as far as it can be read', '[{"time":"2026-11-21T10:00:00Z"},{"time":"2030-01-01T00:00:00Z', '2026-11-21T10:00:00.000Z'],
    ['of an entry that is no object', '[1,{"time":"2026-11-21T10:00:00Z"}]', null],
    ['of damage that throws', '[{"time" "2026-11-21T10:00:00Z"}]', null],
    ['of a text that nothing can decode', '[{"time":"\\x"}]', null],
  ])('%s', (_name, text, expected) => {
    expect(iso(text)).toBe(expected);
  });

  test('is what parsing finds, and no damage throws', () => {
    const time = fc.oneof(
      fc.date({ min: new Date(0), max: new Date('2099-01-01'), noInvalidDate: true }).map((date) => `${date.toISOString().slice(0, 19)}Z`),
      fc.constantFrom(null, 'time', '', 7),
    );
    const fields = fc.dictionary(fc.constantFrom('f:time', 'time', '.', 'f:a]', 'v:"[', 'k:{"time":"2098-01-01T00:00:00Z"}'), fc.constant({}));
    const entry = fc.record({ manager: fc.string(), fieldsV1: fields, time, subresource: fc.constantFrom('', 'status') }, { requiredKeys: [] });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 5 }), fc.nat(), fc.nat(255), (entries, at, byte) => {
        const text = JSON.stringify(entries);
        const times = entries.map((one) => (typeof one.time === 'string' ? Date.parse(one.time) : Number.NaN)).filter((ms) => !Number.isNaN(ms));
        expect(newest(text)).toBe(times.length === 0 ? null : Math.max(...times));
        const bytes = Buffer.from(text);
        bytes[at % bytes.length] = byte;
        expect(() => newestManagedTime(bytes, 0, bytes.length)).not.toThrow();
        expect(() => newestManagedTime(bytes, 0, at % bytes.length)).not.toThrow();
      }),
      { numRuns: 500 },
    );
  });
});

describe('an object that was scanned tells when it was written', () => {
  const scannedBy = (text: string, type: ConstructorParameters<typeof ObjectScanner>[0], how: 'scan' | 'scanLine'): ObjectScanner => {
    const scanner = new ObjectScanner(type);
    // Something stands before it, as in a watch line: offsets count from the start of the buffer.
    const bytes = Buffer.from(`     ${text}`);
    scanner[how](bytes, 5, bytes.length);
    expect(scanner.problem).toBeNull();
    return scanner;
  };

  test.each(['scan', 'scanLine'] as const)('%s: although managedFields are cut from what is kept', (how) => {
    const pod = scannedBy(BUILT_IN_OBJECT, { kind: 'Pod', apiVersion: 'v1' }, how);
    expect(pod.writtenAt()).toBe(Date.parse('2026-11-21T10:00:00Z'));
    const kept = Buffer.alloc(pod.size);
    pod.copyTo(kept, 0);
    expect(kept.includes('managedFields')).toBe(false);
    const widget = scannedBy(CUSTOM_OBJECT, { kind: 'Widget', apiVersion: 'demo.example.com/v1' }, how);
    expect(widget.writtenAt()).toBe(Date.parse('2026-11-21T10:00:00Z'));
  });

  test('and says nothing of the one before it, nor after its bytes were let go', () => {
    const scanner = scannedBy(BUILT_IN_OBJECT, { kind: 'Pod', apiVersion: 'v1' }, 'scan');
    const bare = Buffer.from('{"metadata":{"name":"a","uid":"u","resourceVersion":"1"}}');
    scanner.scan(bare, 0, bare.length);
    expect(scanner.writtenAt()).toBeNull();
    const again = scannedBy(BUILT_IN_OBJECT, { kind: 'Pod', apiVersion: 'v1' }, 'scan');
    again.release();
    expect(again.writtenAt()).toBeNull();
  });
});
