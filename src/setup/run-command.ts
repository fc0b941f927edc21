/** Runs other programs: by name and arguments, never through a shell. */
import { spawn } from 'node:child_process';
import { UserError } from '../errors.js';

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Seconds after which it is killed; default: never. */
  readonly timeout?: number;
}

/** @returns the standard output. @throws CommandError when it cannot be started or fails */
export type RunCommand = (command: string, args: readonly string[], options?: CommandOptions) => Promise<string>;

/** Characters kept of an output: enough for JSON answers, bounded for endless logs. */
const KEPT = 1 << 22;
const LINES_SHOWN = 6;

/** A program that could not be started, or failed. */
export class CommandError extends UserError {
  override readonly name = 'CommandError';

  constructor(
    message: string,
    /** Whether the program was found. */
    readonly isFound: boolean,
    readonly stdout: string,
  ) {
    super(message);
  }
}

export const runCommand: RunCommand = (command, args, options = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      signal: options.signal,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8');
      child[name].on('data', (text: string) => {
        output[name] = (output[name] + text).slice(-KEPT);
      });
    }
    let isLate = false;
    const { timeout } = options;
    const kill = (): void => {
      isLate = child.kill('SIGKILL');
    };
    const timer = timeout === undefined ? null : setTimeout(kill, timeout * 1000);
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (timer !== null) clearTimeout(timer);
      if (error.name === 'AbortError') reject(error);
      else reject(new CommandError(`${command} could not be started (${error.message})`, error.code !== 'ENOENT', ''));
    });
    child.on('close', (code, killedBy) => {
      if (timer !== null) clearTimeout(timer);
      if (code === 0) resolve(output.stdout);
      else if (isLate) reject(new CommandError(`${command} did not end within ${timeout ?? 0} s`, true, output.stdout));
      else reject(new CommandError(describeFailure(command, code, killedBy, output), true, output.stdout));
    });
  });

/** "g++ failed (exit code 1): … | …", with the most telling lines. */
function describeFailure(
  command: string,
  code: number | null,
  killedBy: NodeJS.Signals | null,
  output: { readonly stdout: string; readonly stderr: string },
): string {
  const text = output.stderr.trim() === '' ? output.stdout : output.stderr;
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const errors = lines.filter((line) => /error|cannot|not found|denied|no space/i.test(line));
  const shown = (errors.length > 0 ? errors.slice(0, LINES_SHOWN) : lines.slice(-LINES_SHOWN)).join(' | ');
  return `${command} failed (${killedBy ?? `exit code ${code ?? 'unknown'}`})${shown === '' ? '' : `: ${shown}`}`;
}
