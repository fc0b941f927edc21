/** A command of the command line: its options, its positional arguments, examples, and one function that runs it. */
import type { Watch } from '../workflows/watch.js';
import type { OptionTable, ValuesOf } from './options/option.js';
import type { GlobalArguments } from './options/shared.js';
import type { Output } from './output.js';

/** A stream that may be a terminal; process.stderr is one. */
export type ProgressStream = NodeJS.WritableStream & {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number;
};

/** Everything of the outside world that the command line touches; tests pass buffers. */
export interface CliIo {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean | undefined };
  readonly stdout: ProgressStream;
  readonly stderr: ProgressStream;
  /** NO_COLOR and GSVA_DEBUG are read from here. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by the first Ctrl-C: finish the step, save, return. */
  readonly signal: AbortSignal;
}

/** The terminal as a command sees it; a workflow takes it as its watcher: notes and progress go to stderr. */
export interface CommandContext extends Required<Watch> {
  readonly signal: AbortSignal;
  /** Results, on stdout. */
  readonly output: Output;
  /** Lines on stdin; `echo`: the terminal that shows a prompt and what is typed, null where nobody types. */
  readonly input: { readonly stream: NodeJS.ReadableStream; readonly echo: NodeJS.WritableStream | null };
}

export interface CommandDefinition<Options extends OptionTable, Positionals extends OptionTable> {
  readonly options?: Options;
  /** By the names in the table's line of the command (commands.ts). */
  readonly positionals?: Positionals;
  /** Purposes by command line. */
  readonly examples: Readonly<Record<string, string>>;
  /** @returns the exit code; a UserError thrown becomes one line and exit code 1, a UsageError 2. */
  run(args: ValuesOf<Options> & ValuesOf<Positionals> & GlobalArguments, context: CommandContext): Promise<number>;
}

/** A command whose types are known to its file alone. */
export type Command = Omit<Required<CommandDefinition<OptionTable, OptionTable>>, 'run'> & {
  run(args: Record<string, unknown>, context: CommandContext): Promise<number>;
};

const NO_OPTIONS = {};

/** Gives `run` arguments typed by the tables of options. */
export function defineCommand<
  const Options extends OptionTable = typeof NO_OPTIONS,
  const Positionals extends OptionTable = typeof NO_OPTIONS,
>(definition: CommandDefinition<Options, Positionals>): Command {
  // The arguments are read by the same tables from which their types follow.
  return {
    options: NO_OPTIONS,
    positionals: NO_OPTIONS,
    ...definition,
    run: (args, context) => definition.run(args as never, context),
  };
}

export function wantsColor(stream: ProgressStream, env: CliIo['env']): boolean {
  return stream.isTTY === true && !isSet(env.NO_COLOR) && env.TERM !== 'dumb';
}

/** As NO_COLOR's definition has it: present and not empty. */
export function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}
