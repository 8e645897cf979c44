import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';

/**
 * Reads `+ PID` and `- PID` until its input ends, which the operating system sees to however the test process ended, then kills what
 * is left, newest first. A handler for 'exit' would not run after a signal, and test runners end a stuck worker by signals.
 */
const SCRIPT = `trap '' INT TERM HUP
pids=
while read -r sign pid; do
  case $sign in
    +) pids="$pid $pids" ;;
    -) rest=; for p in $pids; do [ "$p" = "$pid" ] || rest="$rest $p"; done; pids=$rest ;;
  esac
done
for p in $pids; do kill -KILL "$p"; done 2>/dev/null`;

let input: Socket | undefined;

/** Sees to it that `child` does not outlive this process, even when this process is killed. The id is forgotten when the child ends. */
export function guard(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return;
  input ??= start();
  const guardInput = input;
  guardInput.write(`+ ${pid}\n`);
  child.once('exit', () => guardInput.write(`- ${pid}\n`));
}

function start(): Socket {
  const shell = spawn('sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  shell.unref();
  const stdin = shell.stdin as Socket;
  // Without these two the guard would keep the test process alive, or end it by an EPIPE.
  stdin.unref();
  stdin.on('error', () => {});
  return stdin;
}
