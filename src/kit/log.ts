import { pino } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * One line is one fact: a constant sentence plus fields. No object bodies, no credentials, ever.
 * A repeated failure grows louder with the delay it has reached, not with each try.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` (`component`, `kind`) to every line. */
  child(fields: LogFields): Logger;
}

export interface RootLogger extends Logger {
  /** Applies to every child, live. */
  setLevel(level: LogLevel): void;
}

/** `pretty` is for people on a terminal; `json` for everything else. Both go to stderr, so that stdout stays the command's own. */
export async function createLogger(options: {
  readonly level: LogLevel;
  readonly format: 'pretty' | 'json';
  /** Where lines go; standard error when absent. */
  readonly write?: (text: string) => void;
}): Promise<RootLogger> {
  const sink = { write: options.write ?? ((text: string): void => void process.stderr.write(text)) };
  let destination: { write(text: string): void } = sink;
  if (options.format === 'pretty') {
    const { prettyFactory } = await import('pino-pretty');
    const pretty = prettyFactory({ colorize: process.stderr.isTTY === true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l', singleLine: true });
    destination = { write: (line) => sink.write(pretty(line) ?? line) };
  }
  const levels: Set<pino.Logger> = new Set();
  const wrap = (inner: pino.Logger): Logger => ({
    debug: (message, fields) => inner.debug(printable(fields), message),
    info: (message, fields) => inner.info(printable(fields), message),
    warn: (message, fields) => inner.warn(printable(fields), message),
    error: (message, fields) => inner.error(printable(fields), message),
    child(fields) {
      const child = inner.child(printable(fields));
      levels.add(child);
      return wrap(child);
    },
  });
  const root = pino({ level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  levels.add(root);
  return {
    ...wrap(root),
    setLevel(level) {
      for (const logger of levels) logger.level = level;
    },
  };
}

/** An error as a field becomes its message: a stack or a request object in a log line is noise, and may hold secrets. */
function printable(fields: LogFields | undefined): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  if (fields === undefined) return out;
  for (const [name, value] of Object.entries(fields)) out[name] = value instanceof Error ? value.message : value;
  return out;
}

export const silentLogger: RootLogger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
  setLevel() {},
};
