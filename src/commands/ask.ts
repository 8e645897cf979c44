import { createInterface } from 'node:readline';

/** Asks a person; an end of the input or of the process is an empty answer. */
export function askOnTerminal(question: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    // Not as a terminal: its raw mode would swallow Ctrl-C, which is an answer, too.
    const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false, signal });
    let answer = '';
    lines.once('close', () => resolve(answer));
    lines.question(question, (line) => {
      answer = line;
      lines.close();
    });
  });
}
