/**
 * Label and field selectors in the grammar of the API server (apimachinery `labels` and `fields`), with its messages, so that a text
 * accepted here is accepted there and means the same. Pure; used by rules, by the read side and by the hollow cluster.
 */

/** A selector that cannot be parsed; an HTTP surface answers 400 BadRequest with this message. */
export class SelectorError extends Error {
  override readonly name = 'SelectorError';
}

export type Labels = Readonly<Record<string, string>>;

export type LabelOperator = 'in' | 'notin' | 'exists' | 'absent' | 'gt' | 'lt';

/** One term. `=`, `==` are `in` with one value; `!=` is `notin` with one value. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

export interface LabelSelector {
  /** All must hold. None: everything matches. */
  readonly requirements: readonly LabelRequirement[];
  matches(labels: Labels): boolean;
}

export interface FieldRequirement {
  readonly path: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

export interface FieldSelector {
  /** All must hold. None: everything matches. Whoever evaluates must refuse paths it does not know, never match all. */
  readonly requirements: readonly FieldRequirement[];
  /** `get` gives the value of a path, `''` when unset. */
  matches(get: (path: string) => string): boolean;
}

/** Parses a label selector; throws SelectorError. */
export function parseLabelSelector(text: string): LabelSelector {
  const requirements = new LabelParser(tokenize(text)).parse();
  return { requirements, matches: (labels) => requirements.every((requirement) => meets(requirement, labels)) };
}

function meets({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'exists':
      return value !== undefined;
    case 'absent':
      return value === undefined;
    case 'in':
      return value !== undefined && values.includes(value);
    case 'notin':
      return value === undefined || !values.includes(value);
    case 'gt':
    case 'lt': {
      const bound = values[0];
      if (value === undefined || bound === undefined || !isInt64(value)) return false;
      return operator === 'gt' ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound);
    }
    default:
      return operator satisfies never;
  }
}

type TokenType = 'end' | 'error' | 'id' | 'in' | 'notin' | '(' | ')' | ',' | '!' | '=' | '==' | '!=' | '>' | '<';

interface Token {
  readonly type: TokenType;
  readonly text: string;
}

const SYMBOLS = new Set<string>(['(', ')', ',', '!', '=', '==', '!=', '>', '<']);
const END: Token = { type: 'end', text: '' };

const isSymbol = (char: string): boolean => '=!(),><'.includes(char);
const isBlank = (char: string): boolean => char === ' ' || char === '\t' || char === '\r' || char === '\n';

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const char = text.charAt(at);
    const from = at;
    if (isBlank(char)) {
      at += 1;
    } else if (isSymbol(char)) {
      // The longest symbol wins: `==` before `=`, `!=` before `!`.
      const two = text.slice(at, at + 2);
      const symbol = SYMBOLS.has(two) ? two : char;
      at += symbol.length;
      tokens.push({ type: symbol as TokenType, text: symbol });
    } else {
      while (at < text.length && !isBlank(text.charAt(at)) && !isSymbol(text.charAt(at))) at += 1;
      const word = text.slice(from, at);
      tokens.push({ type: word === 'in' || word === 'notin' ? word : 'id', text: word });
    }
  }
  return tokens;
}

class LabelParser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): readonly LabelRequirement[] {
    const requirements: LabelRequirement[] = [];
    let token = this.#peek();
    while (token.type !== 'end') {
      if (token.type !== 'id' && token.type !== '!') throw new SelectorError(`found '${token.text}', expected: !, identifier, or 'end of string'`);
      requirements.push(this.#requirement());
      const next = this.#take();
      if (next.type === 'end') break;
      if (next.type !== ',') throw new SelectorError(`found '${next.text}', expected: ',' or 'end of string'`);
      token = this.#peek();
      if (token.type !== 'id' && token.type !== '!') throw new SelectorError(`found '${token.text}', expected: identifier after ','`);
    }
    return requirements;
  }

  #requirement(): LabelRequirement {
    let token = this.#take();
    const absent = token.type === '!';
    if (absent) token = this.#take();
    if (token.type !== 'id') throw unable(`found '${token.text}', expected: identifier`);
    const key = token.text;
    checkKey(key);
    const after = this.#peek();
    if (after.type === 'end' || after.type === ',') return { key, operator: absent ? 'absent' : 'exists', values: [] };
    // As the real server: `!key` followed by anything but the end or a comma is refused by the caller.
    if (absent) return { key, operator: 'absent', values: [] };
    const operator = this.#takeRaw();
    switch (operator.type) {
      case 'in':
      case 'notin':
        return checked({ key, operator: operator.type, values: this.#values() });
      case '=':
      case '==':
        return checked({ key, operator: 'in', values: [this.#value()] });
      case '!=':
        return checked({ key, operator: 'notin', values: [this.#value()] });
      case '>':
        return checked({ key, operator: 'gt', values: [this.#value()] });
      case '<':
        return checked({ key, operator: 'lt', values: [this.#value()] });
      default:
        throw unable(`found '${operator.text}', expected: in, notin, =, ==, !=, gt, lt`);
    }
  }

  #value(): string {
    const next = this.#peek();
    if (next.type === 'end' || next.type === ',') return '';
    this.#take();
    if (next.type !== 'id') throw unable(`found '${next.text}', expected: identifier`);
    return next.text;
  }

  /** `(a,b)`; `()` is the empty value, and an empty place beside a comma is one too. */
  #values(): readonly string[] {
    const open = this.#take();
    if (open.type !== '(') throw unable(`found '${open.text}' expected: '('`);
    const values = new Set<string>();
    let expectsValue = true;
    for (;;) {
      const token = this.#take();
      if (token.type === 'id' && expectsValue) {
        values.add(token.text);
        expectsValue = false;
      } else if (token.type === ',' || token.type === ')') {
        if (expectsValue) values.add('');
        if (token.type === ')') return [...values].sort();
        expectsValue = true;
      } else {
        throw unable(`found '${token.text}', expected: ${expectsValue ? "',', ')' or identifier" : "',' or ')'"}`);
      }
    }
  }

  /** `in` and `notin` are ordinary names wherever an operator cannot stand. */
  #peek(): Token {
    const token = this.#tokens[this.#at] ?? END;
    return token.type === 'in' || token.type === 'notin' ? { type: 'id', text: token.text } : token;
  }

  #take(): Token {
    const token = this.#peek();
    this.#at += 1;
    return token;
  }

  #takeRaw(): Token {
    const token = this.#tokens[this.#at] ?? END;
    this.#at += 1;
    return token;
  }
}

function unable(why: string): SelectorError {
  return new SelectorError(`unable to parse requirement: ${why}`);
}

const NAME = /^(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

function checkKey(key: string): void {
  const parts = key.split('/');
  const name = parts.at(-1) ?? '';
  const prefix = parts.length === 2 ? (parts[0] ?? '') : null;
  const fail = (rule: string): never => {
    throw unable(`<nil>: Invalid value: ${JSON.stringify(key)}: ${rule}`);
  };
  if (parts.length > 2) fail("a qualified name must consist of alphanumeric characters, '-', '_' or '.', with an optional DNS subdomain prefix and '/'");
  if (prefix !== null && (prefix.length === 0 || prefix.length > 253 || !SUBDOMAIN.test(prefix)))
    fail('prefix part must be a lowercase DNS subdomain of at most 253 characters');
  if (name.length === 0) fail('name part must be non-empty');
  if (name.length > 63) fail('name part must be no more than 63 bytes');
  if (!NAME.test(name)) fail("name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character");
}

function checked(requirement: LabelRequirement): LabelRequirement {
  const { key, operator, values } = requirement;
  values.forEach((value, index) => {
    const fail = (rule: string): never => {
      throw unable(`values[${index}][${key}]: Invalid value: ${JSON.stringify(value)}: ${rule}`);
    };
    if (operator === 'gt' || operator === 'lt') {
      if (!isInt64(value)) fail("for 'Gt', 'Lt' operators, the value must be an integer");
      return;
    }
    if (value.length > 63) fail('must be no more than 63 bytes');
    if (value !== '' && !NAME.test(value))
      fail(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
      );
  });
  return requirement;
}

/** What Go's ParseInt(value, 10, 64) takes. */
function isInt64(text: string): boolean {
  if (!/^[+-]?[0-9]{1,40}$/.test(text)) return false;
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
  return value >= -(2n ** 63n) && value < 2n ** 63n;
}

/** Parses a field selector; throws SelectorError. Empty terms are ignored; `\,`, `\=` and `\\` stand for themselves in a value. */
export function parseFieldSelector(text: string): FieldSelector {
  const requirements = splitTerms(text)
    .filter((term) => term !== '')
    .map((term): FieldRequirement => {
      const operator = /!=|==|=/.exec(term);
      if (operator === null) throw new SelectorError(`invalid selector: '${text}'; can't understand '${term}'`);
      const value = unescaped(term.slice(operator.index + operator[0].length));
      return { path: term.slice(0, operator.index), operator: operator[0] === '!=' ? '!=' : '=', value };
    });
  return { requirements, matches: (get) => requirements.every(({ path, operator, value }) => (get(path) === value) === (operator === '=')) };
}

function splitTerms(text: string): readonly string[] {
  const terms: string[] = [];
  let from = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === ',') {
      terms.push(text.slice(from, at));
      from = at + 1;
    }
  }
  terms.push(text.slice(from));
  return terms;
}

function unescaped(value: string): string {
  let out = '';
  for (let at = 0; at < value.length; at += 1) {
    const char = value.charAt(at);
    if (char === '\\') {
      at += 1;
      const next = value.charAt(at);
      if (next === '' || !'\\,='.includes(next)) throw new SelectorError(`invalid field selector: invalid escape sequence: \\${next}`);
      out += next;
    } else if (char === '=' || char === ',') {
      throw new SelectorError(`invalid field selector: unescaped character in value: ${char}`);
    } else {
      out += char;
    }
  }
  return out;
}
