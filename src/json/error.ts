/**
 * JSON that breaks the grammar, or is not what this place must hold. The message names the place and at most one byte of
 * the data, never more: bodies may be Secrets.
 */
export class JsonError extends Error {
  override readonly name = 'JsonError';
  /** Bytes before the offending one. Counted from the start of the buffer that was read; readers count from the start of their line or body. */
  readonly offset: number;
  readonly expected: string;
  /** One byte, named: `"x"`, `byte 0x0a`; or what stands there instead. */
  readonly found: string;

  constructor(fields: { readonly offset: number; readonly expected: string; readonly found: string; readonly where?: string | undefined }) {
    super(
      `Cannot read JSON${fields.where === undefined ? '' : ` of ${fields.where}`}: expected ${fields.expected} at offset ${fields.offset}, found ${fields.found}`,
    );
    this.offset = fields.offset;
    this.expected = fields.expected;
    this.found = fields.found;
  }

  /** The same error, with its offset counted from elsewhere and a name for the whole: `a watch line`. */
  within(where: string, shift: number): JsonError {
    return new JsonError({ offset: this.offset + shift, expected: this.expected, found: this.found, where });
  }
}

/** A byte as a reader of a message wants to see it. */
export function nameOfByte(byte: number): string {
  return byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `byte 0x${byte.toString(16).padStart(2, '0')}`;
}
