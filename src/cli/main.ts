/**
 * The command line `gsva`: finds the verb, runs it, turns what it throws into one line and an exit code.
 *
 * Exit codes: 0 fine, 1 failed (bad input included), 2 wrong usage, 130 ended by Ctrl-C.
 */
import { readFileSync } from 'node:fs';
import { platform } from 'node:os';
import pc from 'picocolors';
import { UsageError, UserError, messageOf } from '../errors.js';
import { gsvaCommand, packagePath } from '../program.js';
import { ablateVerb } from './ablate.js';
import { benchVerb } from './bench.js';
import { benchLargeVerb } from './bench-large.js';
import { convertDeltaVerb, convertVerb, exportVerb, mergeVerb } from './convert.js';
import { dataSynthVerb } from './data.js';
import { dataCheckVerb, dataStatsVerb } from './data-check.js';
import { dataImportCocoVerb, dataImportLabelmeVerb, dataImportVocVerb, dataImportYoloVerb } from './data-import.js';
import { dataShowVerb } from './data-show.js';
import { dataValidateVerb } from './data-validate.js';
import { demoVerb } from './demo.js';
import { doctorVerb } from './doctor.js';
import { evalVerb } from './eval.js';
import { inspectVerb } from './inspect.js';
import { modelsVerb } from './models.js';
import { Output } from './output.js';
import { parseCommand } from './parse.js';
import { planVerb } from './plan.js';
import { ProgressBar, type ProgressStream } from './progress.js';
import { reportCalibrateVerb } from './report-calibrate.js';
import { reportCompareVerb } from './report-compare.js';
import { reportMergeVerb } from './report-merge.js';
import { reportWriteVerb } from './report-write.js';
import { segmentVerb } from './segment.js';
import { setupTensorflowVerb } from './setup.js';
import { trainVerb } from './train.js';
import type { CliIo, Verb, VerbContext } from './verb.js';
import { knownPath } from './verb-words.js';
import { verifyVerb } from './verify.js';
import { vqaVerb } from './vqa.js';

/** Everything that the command line can do. */
export const VERBS: readonly Verb[] = [
  ...[trainVerb, evalVerb, vqaVerb, segmentVerb, verifyVerb],
  ...[reportWriteVerb, reportCompareVerb, reportCalibrateVerb, reportMergeVerb],
  ...[modelsVerb, convertVerb, convertDeltaVerb, mergeVerb, exportVerb, inspectVerb],
  ...[dataImportCocoVerb, dataImportLabelmeVerb, dataImportVocVerb, dataImportYoloVerb, dataValidateVerb],
  ...[dataCheckVerb, dataStatsVerb, dataShowVerb],
  ...[dataSynthVerb, demoVerb, ablateVerb, doctorVerb, planVerb, benchVerb, benchLargeVerb, setupTensorflowVerb],
];
const EXIT = { fine: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/**
 * Runs one command line without touching the process: no exit, no signal handlers.
 *
 * @param argv words after the program's name
 * @param verbs another set of verbs; for tests
 * @returns the exit code
 */
export async function run(argv: readonly string[], io: CliIo, verbs: readonly Verb[] = VERBS): Promise<number> {
  let name = 'gsva';
  try {
    const command = await parseCommand(argv, verbs, packageVersion(), columnsOf(io.stdout));
    if (command.kind === 'text') {
      io.stdout.write(command.text);
      return EXIT.fine;
    }
    name = ['gsva', ...command.verb.path].join(' ');
    const code = await command.verb.run(command.args, createContext(io, command.args.json === true));
    return io.signal.aborted ? EXIT.interrupted : code;
  } catch (error) {
    return report(error, name, io, argv, verbs);
  }
}

/** Prints what went wrong as one line; the stack only where GSVA_DEBUG asks for it. */
function report(error: unknown, name: string, io: CliIo, argv: readonly string[], verbs: readonly Verb[]): number {
  const wantsStack = isSet(io.env.GSVA_DEBUG);
  if (wantsStack && error instanceof Error) io.stderr.write(`${error.stack ?? error.message}\n`);
  const colors = pc.createColors(wantsColor(io.stderr, io.env));
  const say = (where: string, message: string): void => {
    io.stderr.write(`${colors.red(where)}: ${message.replace(/\s*\n\s*/g, ' ').trim()}\n`);
  };
  if (io.signal.aborted && (error === io.signal.reason || isAbortError(error))) {
    say(name, 'stopped');
    return EXIT.interrupted;
  }
  if (error instanceof UsageError) {
    const words =
      name === 'gsva' ? knownPath(argv[0] === 'help' ? argv.slice(1) : argv, verbs) : name.split(' ').slice(1);
    say(['gsva', ...words].join(' '), `${error.message}; see ${gsvaCommand([...words, '--help'].join(' '))}`);
    return EXIT.usage;
  }
  if (error instanceof UserError) say(name, error.message);
  else say(name, `unexpected error: ${messageOf(error)}${wantsStack ? '' : ' (GSVA_DEBUG=1 shows where)'}`);
  return EXIT.failed;
}

function createContext(io: CliIo, isJson: boolean): VerbContext {
  const { stderr, stdout, env, signal } = io;
  const drawBar = stderr.isTTY === true && env.TERM !== 'dumb' && !isSet(env.NO_COLOR);
  return {
    output: new Output(stdout, isJson, pc.createColors(wantsColor(stdout, env))),
    colors: pc.createColors(wantsColor(stderr, env)),
    signal,
    note: (line) => {
      stderr.write(`${line}\n`);
    },
    startProgress: (label, total) => ProgressBar.start(stderr, label, total, { drawBar }),
  };
}

function wantsColor(stream: ProgressStream, env: CliIo['env']): boolean {
  return stream.isTTY === true && !isSet(env.NO_COLOR) && env.TERM !== 'dumb';
}

/** As NO_COLOR's definition has it: present and not empty. */
function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}

function columnsOf(stream: ProgressStream): number | undefined {
  return stream.isTTY === true && 'columns' in stream && typeof stream.columns === 'number'
    ? stream.columns
    : undefined;
}

function isAbortError(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

function packageVersion(): string {
  const description: unknown = JSON.parse(readFileSync(packagePath('package.json'), 'utf8'));
  const isDescription = typeof description === 'object' && description !== null && 'version' in description;
  return isDescription ? String(description.version) : 'unknown';
}

/** Runs the process's own command line and ends the process; bin/gsva.js calls it. */
export async function main(): Promise<void> {
  const { stdout, stderr } = process;
  for (const stream of [stdout, stderr]) stream.on('error', endQuietlyOnBrokenPipe);
  process.on('uncaughtException', (error) => {
    const where = isSet(process.env.GSVA_DEBUG) ? `\n${error.stack ?? ''}` : ' (GSVA_DEBUG=1 shows where)';
    stderr.write(`gsva: unexpected error: ${error.message}${where}\n`);
    process.exit(EXIT.failed);
  });
  const io: CliIo = { stdout, stderr, env: process.env, signal: abortOnSignals(stderr) };
  const code = await run(process.argv.slice(2), io);
  // Worker threads of the engine would keep the process alive; leave once everything is written.
  stdout.write('', () => stderr.write('', () => process.exit(code)));
}

/** The reader of our output has gone (`gsva … | head`): nothing is left to say, and nothing went wrong. */
function endQuietlyOnBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(EXIT.fine);
  throw error;
}

/**
 * The first Ctrl-C (or SIGTERM, or SIGUSR2, which mpirun and Slurm can send to all ranks of a job) asks the verb to
 * finish; the second ends the process at once.
 */
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
