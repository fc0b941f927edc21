/** Runs other programs: by name and arguments, never through a shell. */
import { spawn } from 'node:child_process';
import { messageOf, UserError } from '../errors.js';

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

  /** @param isFound whether the program was found */
  constructor(
    message: string,
    readonly isFound: boolean,
    readonly stdout: string,
  ) {
    super(message);
  }
}

export const runCommand: RunCommand = (command, args, options = {}) =>
  new Promise((resolve, reject) => {
    const { timeout, ...others } = options;
    const env = { ...process.env, ...options.env };
    const child = spawn(command, args, { ...others, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8');
      child[name].on('data', (text: string) => {
        output[name] = (output[name] + text).slice(-KEPT);
      });
    }
    let isLate = false;
    const kill = (): void => {
      isLate = child.kill('SIGKILL');
    };
    const timer = timeout === undefined ? undefined : setTimeout(kill, timeout * 1000);
    child.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      if (error.name === 'AbortError') reject(error);
      else reject(new CommandError(`${command} could not be started (${error.message})`, error.code !== 'ENOENT', ''));
    });
    child.on('close', (code, killedBy) => {
      clearTimeout(timer);
      const late = `${command} did not end within ${timeout ?? 0} s`;
      if (code === 0) resolve(output.stdout);
      else reject(new CommandError(isLate ? late : failureText(command, code, killedBy, output), true, output.stdout));
    });
  });

/** The first of the programs that starts with these arguments. @throws UserError with the last failure's reason */
export async function firstToStart(
  programs: readonly string[],
  args: readonly string[],
  run: RunCommand,
  problem: (why: string) => string,
): Promise<string> {
  let why = '';
  for (const program of programs) {
    try {
      await run(program, args);
      return program;
    } catch (error) {
      why = messageOf(error);
    }
  }
  throw new UserError(problem(why));
}

/** "g++ failed (exit code 1): … | …", with the most telling lines. */
function failureText(
  command: string,
  code: number | null,
  killedBy: NodeJS.Signals | null,
  { stdout, stderr }: { readonly stdout: string; readonly stderr: string },
): string {
  const text = stderr.trim() === '' ? stdout : stderr;
  const lines = text.split(/\s*\n\s*/).filter((line) => line.trim() !== '');
  const errors = lines.filter((line) => /error|cannot|not found|denied|no space/i.test(line));
  const shown = (errors.length > 0 ? errors.slice(0, LINES_SHOWN) : lines.slice(-LINES_SHOWN)).join(' | ');
  return `${command} failed (${killedBy ?? `exit code ${code ?? 'unknown'}`})${shown === '' ? '' : `: ${shown}`}`;
}
