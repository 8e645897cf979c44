import { withoutQuotes } from './foreign-text.ts';

const LONGEST_MESSAGE = 300;
const MOST_FRAMES = 20;
const MOST_CAUSES = 3;

/** From the first mark of a quotation to the last: engines and libraries quote the value that they choke on. */
const QUOTED = /["'`][\s\S]*["'`]/;
const URL_USER = /\/\/[^/@\s]*@/g;
/** A place in a file, and the function that it is in. Lines of a message that only look like frames have no such end. */
const FRAME = /^ {4}at [\w$.<>#[\] ]*\(?(?:file:\/\/|node:|\/)[^\s"'`()]*:\d+:\d+\)?$/;
const NAME = /^[A-Za-z][\w.]{0,60}$/;

/**
 * What is printed of a defect that ends the process: class, code, message and places in the code, of the error and of what caused it. Node would print all fields of
 * both, which may hold requests with their headers and documents. Of messages the credentials and everything quoted is taken out, so this is not for errors of
 * our own making, whose messages are clean and meant to be read whole.
 */
export function lastWords(cause: unknown): string {
  const lines: string[] = [];
  let error = cause;
  for (let depth = 0; depth <= MOST_CAUSES && error !== undefined && error !== null; depth++) {
    lines.push(`${depth === 0 ? '' : 'caused by '}${headOf(error)}`);
    if (!(error instanceof Error)) break;
    lines.push(...framesOf(error));
    error = error.cause;
  }
  return lines.length === 0 ? headOf(cause) : lines.join('\n');
}

function headOf(error: unknown): string {
  if (!(error instanceof Error)) return `something that is no error was thrown (${error === null ? 'null' : typeof error})`;
  const { name, message } = error;
  const code = 'code' in error && typeof error.code === 'string' && /^[A-Z][A-Z0-9_]{0,60}$/.test(error.code) ? ` ${error.code}` : '';
  const said = withoutQuotes(message, undefined).replace(URL_USER, '//***@').replace(QUOTED, '…').replaceAll(/\s+/g, ' ').slice(0, LONGEST_MESSAGE);
  return `${NAME.test(name) ? name : 'Error'}${code}${said === '' ? '' : `: ${said}`}`;
}

function framesOf({ stack }: Error): readonly string[] {
  return (typeof stack === 'string' ? stack : '')
    .split('\n')
    .filter((line) => FRAME.test(line))
    .slice(0, MOST_FRAMES);
}
