/** Runs the command line inside the test's process, with buffers in place of the terminal. */
import { Readable, Writable } from 'node:stream';
import { run } from '../../src/cli/main.js';
import type { CommandEntry } from '../../src/cli/commands.js';

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly env?: Record<string, string>;
  readonly isTTY?: boolean;
  /** Text on stdin. */
  readonly input?: string;
  readonly signal?: AbortSignal;
  readonly commands?: readonly CommandEntry[];
}

/** A stream that keeps what is written to it. */
export class TextBuffer extends Writable {
  text = '';

  constructor(readonly isTTY = false) {
    super({ decodeStrings: false });
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** `gsva ...argv` without a process. */
export async function runCli(argv: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const stdout = new TextBuffer(options.isTTY);
  const stderr = new TextBuffer(options.isTTY);
  const stdin = Readable.from([options.input ?? '']);
  const signal = options.signal ?? new AbortController().signal;
  const io = { stdin, stdout, stderr, env: options.env ?? {}, signal };
  const code = await run(argv, io, options.commands);
  return { code, stdout: stdout.text, stderr: stderr.text };
}
