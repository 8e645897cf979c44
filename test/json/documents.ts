import fc from 'fast-check';

/** White space of any kind, mostly none. Watch lines must not contain a newline. */
export interface Spacing {
  readonly newlines: boolean;
}

/** Text that tries to look like structure, to a search that does not walk. */
const PIECES = [
  'a',
  'metadata',
  '"metadata":{"name":"x"}',
  'managedFields',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  '\\',
  '/',
  ' ',
  'é',
  '日本',
  '😀',
  '\u2028',
  '\ud800',
  '\u0000',
  '\n',
  '\u007f',
];
const KEYS = [
  'kind',
  'apiVersion',
  'metadata',
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'managedFields',
  'spec',
  'items',
  'type',
  'object',
  '',
  '__proto__',
  'name ',
  'Name',
  'métadata',
];
const NUMBERS = ['0', '-0', '7', '-12', '0.5', '-1.25', '1e5', '1E+5', '10e-3', '-0.0e0', '1e400', '123456789012345678901234567890'];

/** A string as JSON, each piece written plainly or as escapes of its code units. */
export function literal(pieces: readonly { readonly text: string; readonly escaped: boolean }[]): string {
  const written = pieces.map(({ text, escaped }) =>
    escaped
      ? Array.from({ length: text.length }, (_, i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')
      : JSON.stringify(text).slice(1, -1),
  );
  return `"${written.join('')}"`;
}

/** The JSON of one fixed text, some letters of it as escapes. */
export function spelling(text: string): fc.Arbitrary<string> {
  const plain = fc.constant(JSON.stringify(text));
  const mixed = fc
    .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
    .map((escaped) => literal([...escaped.keys()].map((i) => ({ text: text.charAt(i), escaped: escaped[i] === true }))));
  return fc.oneof({ weight: 4, arbitrary: plain }, { weight: 1, arbitrary: mixed });
}

const anyPieces = fc.array(fc.record({ text: fc.oneof(fc.constantFrom(...PIECES), fc.string({ unit: 'binary', maxLength: 4 })), escaped: fc.boolean() }), {
  maxLength: 4,
});

const anyString: fc.Arbitrary<string> = anyPieces.map(literal);

/**
 * Keys without a backslash in their text: JSON.parse, the judge of most properties, misreads keys of later documents after
 * it has seen one with (nodejs/node#63785: after {"\\":0}, the key of {"\n":0} is read as a backslash).
 */
const freeKey: fc.Arbitrary<string> = anyPieces.map((pieces) => literal(pieces.filter(({ text }) => !text.includes('\\'))));
const anyKey = fc.oneof(fc.constantFrom(...KEYS).chain(spelling), freeKey);

/** The same text with every escaped backslash inside a string as another character: JSON exactly when `text` is, and harmless to parse (see freeKey). */
export function withoutBackslashes(text: string): string {
  return text.replace(/\\(u005[cC]|[\s\S])/g, (whole: string, what: string) => (what === '\\' ? '\\/' : what.length > 1 ? '\\u005d' : whole));
}

const anyScalar = fc.oneof(anyString, fc.constantFrom(...NUMBERS, 'true', 'false', 'null'));

export function space({ newlines }: Spacing): fc.Arbitrary<string> {
  const some = fc.string({ unit: fc.constantFrom(' ', '\t', '\r', ...(newlines ? ['\n'] : [])), maxLength: 3 });
  return fc.oneof({ weight: 5, arbitrary: fc.constant('') }, { weight: 1, arbitrary: some });
}

/** An object of the members given, in their order, spaced at will. */
export function written(members: readonly (readonly [string, string])[], spacing: Spacing): fc.Arbitrary<string> {
  return fc.array(space(spacing), { minLength: members.length * 4 + 1, maxLength: members.length * 4 + 1 }).map((spaces) => {
    const inner = members.map(([key, value], i) => `${spaces[i * 4]}${key}${spaces[i * 4 + 1]}:${spaces[i * 4 + 2]}${value}${spaces[i * 4 + 3]}`).join(',');
    return `{${inner}${members.length === 0 ? spaces[0] : ''}}`;
  });
}

/** A JSON value of any type, as text. */
export function anyValue(spacing: Spacing, depth = 3): fc.Arbitrary<string> {
  if (depth === 0) return anyScalar;
  const inner = anyValue(spacing, depth - 1);
  const object = fc.array(fc.tuple(anyKey, inner), { maxLength: 3 }).chain((members) => written(members, spacing));
  const array = fc.array(fc.tuple(space(spacing), inner, space(spacing)), { maxLength: 3 }).map((items) => `[${items.map((item) => item.join('')).join(',')}]`);
  return fc.oneof({ weight: 2, arbitrary: anyScalar }, { weight: 1, arbitrary: object }, { weight: 1, arbitrary: array });
}

function member(key: string, value: fc.Arbitrary<string>): fc.Arbitrary<readonly [string, string]> {
  return fc.tuple(spelling(key), value);
}

const name = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('web-0', 'a', 'x'.repeat(253), 'système:日').chain(spelling) },
  { weight: 1, arbitrary: anyString },
);
const uid = fc.uuid().chain(spelling);
const revision = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('1', '42', '123456789012345678901234567890').chain(spelling) },
  { weight: 1, arbitrary: fc.constantFrom('"0"', '"x"', '7', 'null', '""') },
);

/**
 * An object of kind Pod as text: members in any order, some missing, some twice, some of a wrong type. About half of them
 * can be mirrored.
 */
export function anyPod(spacing: Spacing): fc.Arbitrary<string> {
  const value = anyValue(spacing, 2);
  const meta = fc
    .tuple(
      fc.tuple(member('name', name), member('uid', uid), member('resourceVersion', revision)),
      fc.array(fc.oneof(member('namespace', name), member('managedFields', value), fc.tuple(freeKey, value)), { maxLength: 4 }),
      fc.array(fc.tuple(anyKey, value), { maxLength: 1 }),
    )
    .chain((groups) => fc.shuffledSubarray(groups.flat(), { minLength: groups.flat().length - 1, maxLength: groups.flat().length }))
    .chain((members) => written(members, spacing));
  const type = fc.array(fc.oneof(member('kind', spelling('Pod')), member('apiVersion', spelling('v1'))), { maxLength: 2 });
  return fc
    .tuple(
      type,
      fc.array(member('metadata', meta), { minLength: 1, maxLength: 2 }),
      fc.array(fc.tuple(freeKey, value), { maxLength: 2 }),
      fc.array(fc.tuple(anyKey, value), { maxLength: 1 }),
    )
    .chain((groups) => fc.shuffledSubarray(groups.flat(), { minLength: groups.flat().length, maxLength: groups.flat().length }))
    .chain((members) => written(members, spacing));
}

/** Cuts `bytes` where the numbers say, each piece in memory of its own that is overwritten after use, as a socket's is. */
export function inPieces(bytes: Buffer, cuts: readonly number[], push: (piece: Uint8Array) => void): void {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  for (const [i, to] of [...at, bytes.length].entries()) {
    const piece = Buffer.from(bytes.subarray(at[i - 1] ?? 0, to));
    push(piece);
    piece.fill(0x21);
  }
}
