/** The command line `gsva`. Exit codes: 0 fine, 1 failed (bad input included), 2 wrong usage, 130 ended by Ctrl-C. */
import { readFileSync } from 'node:fs';
import { platform } from 'node:os';
import { UsageError, UserError, messageOf } from '../errors.js';
import { gsvaCommand, packagePath } from '../program.js';
import { knownPath, readWords } from './command-words.js';
import { type CliIo, isSet, type ProgressStream, wantsColor } from './command.js';
import { type CommandEntry, COMMANDS } from './commands.js';
import { helpText } from './help.js';

const EXIT = { fine: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** One command line without touching the process: no exit, no signal handlers. @returns the exit code */
export async function run(
  argv: readonly string[],
  io: CliIo,
  commands: readonly CommandEntry[] = COMMANDS,
): Promise<number> {
  let name: string | null = null;
  try {
    const request = readWords(argv, commands);
    const columns = io.stdout.isTTY === true ? io.stdout.columns : undefined;
    if (request.kind !== 'command') {
      io.stdout.write(request.kind === 'version' ? `${packageVersion()}\n` : helpText(request.path, commands, columns));
      return EXIT.fine;
    }
    const { entry, words } = request;
    const [command, { parseArguments }] = await Promise.all([entry.load(), import('./parse.js')]);
    name = entry.path.join(' ');
    const parsed = await parseArguments(words, entry, command, packageVersion(), columns);
    if (parsed.kind === 'text') {
      io.stdout.write(parsed.text);
      return EXIT.fine;
    }
    const { openContext } = await import('./progress.js');
    const { context, close } = openContext(io, parsed.args['json'] === true);
    const code = await command.run(parsed.args, context).finally(close);
    return io.signal.aborted ? EXIT.interrupted : code;
  } catch (error) {
    return report(error, name ?? knownPath(argv[0] === 'help' ? argv.slice(1) : argv, commands).join(' '), io);
  }
}

/** Prints what went wrong as one line; the stack only where GSVA_DEBUG asks for it. @param name words of the command */
async function report(error: unknown, name: string, io: CliIo): Promise<number> {
  const { default: pc } = await import('picocolors');
  const wantsStack = isSet(io.env.GSVA_DEBUG);
  if (wantsStack && error instanceof Error) io.stderr.write(`${error.stack ?? error.message}\n`);
  const colors = pc.createColors(wantsColor(io.stderr, io.env));
  const print = (message: string): void => {
    io.stderr.write(`${colors.red(`gsva ${name}`.trim())}: ${message.replace(/\s*\n\s*/g, ' ').trim()}\n`);
  };
  const isAbort = error === io.signal.reason || (error instanceof Error && error.name === 'AbortError');
  if (io.signal.aborted && isAbort) {
    print('stopped');
    return EXIT.interrupted;
  }
  if (error instanceof UsageError) {
    print(`${error.message}; see ${gsvaCommand(`${name} --help`.trim())}`);
    return EXIT.usage;
  }
  if (error instanceof UserError) print(error.message);
  else print(`unexpected error: ${messageOf(error)}${wantsStack ? '' : ' (GSVA_DEBUG=1 shows where)'}`);
  return EXIT.failed;
}

function packageVersion(): string {
  return (JSON.parse(readFileSync(packagePath('package.json'), 'utf8')) as { readonly version: string }).version;
}

/** Runs the process's own command line and ends the process; bin/gsva.js calls it. */
export async function main(): Promise<void> {
  const { stdin, stdout, stderr } = process;
  for (const stream of [stdout, stderr]) stream.on('error', endQuietlyOnBrokenPipe);
  process.on('uncaughtException', (error) => {
    const where = isSet(process.env.GSVA_DEBUG) ? `\n${error.stack ?? ''}` : ' (GSVA_DEBUG=1 shows where)';
    stderr.write(`gsva: unexpected error: ${error.message}${where}\n`);
    process.exit(EXIT.failed);
  });
  const io: CliIo = { stdin, stdout, stderr, env: process.env, signal: abortOnSignals(stderr) };
  const code = await run(process.argv.slice(2), io);
  // Worker threads of the engine would keep the process alive; leave once everything is written.
  stdout.write('', () => stderr.write('', () => process.exit(code)));
}

/** The reader of our output has gone (`gsva … | head`): nothing is left to say, and nothing went wrong. */
function endQuietlyOnBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(EXIT.fine);
  throw error;
}

/** Aborted by the first Ctrl-C, SIGTERM or SIGUSR2 (sent by mpirun and Slurm); the second ends the process at once. */
function abortOnSignals(stderr: ProgressStream): AbortSignal {
  const controller = new AbortController();
  const signals = ['SIGINT', 'SIGTERM', ...(platform() === 'win32' ? [] : ['SIGUSR2'])] as NodeJS.Signals[];
  for (const name of signals) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(EXIT.interrupted);
      stderr.write('\nstopping after this step; once more ends at once\n');
      controller.abort();
    });
  }
  return controller.signal;
}
