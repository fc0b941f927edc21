/** What a verb of the command line is: its options for yargs, and one function that does the work. */
import type { InferredOptionTypes, Options, PositionalOptions } from 'yargs';
import type { Colors } from 'picocolors/types.js';
import type { GlobalArguments } from './options.js';
import type { Output } from './output.js';
import type { ProgressBar, ProgressStream } from './progress.js';

/** Everything of the outside world that the command line touches; tests pass buffers. */
export interface CliIo {
  readonly stdout: ProgressStream;
  readonly stderr: ProgressStream;
  /** NO_COLOR and GSVA_DEBUG are read from here. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by the first Ctrl-C: finish the step, save, return. */
  readonly signal: AbortSignal;
}

/** What a verb is given besides its arguments. */
export interface VerbContext {
  /** Results, on stdout. */
  readonly output: Output;
  /** Colours for stderr (those of stdout are `output.colors`). */
  readonly colors: Colors;
  readonly signal: AbortSignal;
  /** A line about the course of the work, on stderr. */
  note(line: string): void;
  /** A progress bar (or lines) on stderr; the verb stops it. */
  startProgress(label: string, total: number): ProgressBar;
}

type OptionTable = Record<string, Options>;
type PositionalTable = Record<string, PositionalOptions>;

/** How a verb is written down; see `defineVerb`. */
export interface VerbDefinition<O extends OptionTable, P extends PositionalTable> {
  /** Words after `gsva`, e.g. ['data', 'synth']. */
  readonly path: readonly string[];
  /** Positional arguments in yargs' notation, e.g. '<folders..>'. */
  readonly positionalSyntax?: string;
  readonly describe: string;
  readonly options: O;
  readonly positionals: P;
  /** [command line, what it does] */
  readonly examples: readonly (readonly [string, string])[];
  /** @returns the exit code; a UserError thrown becomes one line and exit code 1, a UsageError 2. */
  run(args: InferredOptionTypes<O> & InferredOptionTypes<P> & GlobalArguments, context: VerbContext): Promise<number>;
}

/** A verb as the command line keeps it: the types of its arguments are known to its definition alone. */
export interface Verb {
  readonly path: readonly string[];
  readonly positionalSyntax: string;
  readonly describe: string;
  readonly options: OptionTable;
  readonly positionals: PositionalTable;
  readonly examples: readonly (readonly [string, string])[];
  run(args: Record<string, unknown>, context: VerbContext): Promise<number>;
}

/** Makes a verb whose `run` receives arguments typed after its options. */
export function defineVerb<const O extends OptionTable, const P extends PositionalTable>(
  definition: VerbDefinition<O, P>,
): Verb {
  return {
    path: definition.path,
    positionalSyntax: definition.positionalSyntax ?? '',
    describe: definition.describe,
    options: definition.options,
    positionals: definition.positionals,
    examples: definition.examples,
    // yargs has read and checked the arguments by the same tables from which their types are inferred.
    run: (args, context) => definition.run(args as Parameters<typeof definition.run>[0], context),
  };
}
