/** A string, a word or number, or one sign of JSON's structure. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[^\s{}[\]:,"]+|[{}[\]:,]/g;
const STEP = '    ';

/**
 * The same JSON over several lines, four blanks a level as kubectl prints it. Nothing is parsed: numbers of any size, and the order
 * of keys, stay as they are. Pure. `margin` stands before every line but the first.
 */
export function indentJson(text: string, margin = ''): string {
  const parts: string[] = [];
  const breaks = [`\n${margin}`];
  let depth = 0;
  let isOpened = false;
  const lineBreak = (): string => (breaks[depth] ??= `\n${margin}${STEP.repeat(depth)}`);
  for (const [token] of text.matchAll(TOKEN)) {
    const isEnd = token === '}' || token === ']';
    if (isEnd) {
      depth--;
      if (!isOpened) parts.push(lineBreak());
    } else if (isOpened) parts.push(lineBreak());
    isOpened = false;
    if (token === '{' || token === '[') {
      depth++;
      isOpened = true;
      parts.push(token);
    } else if (token === ',') parts.push(',', lineBreak());
    else parts.push(token === ':' ? ': ' : token);
  }
  return parts.join('');
}
