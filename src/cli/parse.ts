/** From the words behind a command to its checked arguments, or to its help. */
import yargs, { type Argv, type Options } from 'yargs';
import { UsageError, messageOf } from '../errors.js';
import { runnable } from '../program.js';
import type { Command } from './command.js';
import { unknownOption } from './command-words.js';
import { type CommandEntry, COMMANDS, GROUPS } from './commands.js';
import { MAX_WIDTH } from './help.js';
import { camelCase, type Option } from './options/option.js';
import { GLOBAL_OPTIONS } from './options/shared.js';

/** The arguments of a command, by names in camel case; or a text to print instead (help, version). */
export type ParsedArguments =
  | { readonly kind: 'arguments'; readonly args: Record<string, unknown> }
  | { readonly kind: 'text'; readonly text: string };

const BUILT_IN_OPTIONS = ['help', 'h', 'version'];
/** Keys of yargs' arguments in addition to the known ones. */
const BUILT_IN = [...BUILT_IN_OPTIONS, '_', '$0'];

/** @param words behind those of the command @throws UsageError for an unknown option, a bad or missing value */
export async function parseArguments(
  words: readonly string[],
  entry: CommandEntry,
  command: Command,
  version: string,
  columns = MAX_WIDTH,
): Promise<ParsedArguments> {
  const tables = { ...command.options, ...GLOBAL_OPTIONS };
  const known = [...Object.keys(tables), ...Object.keys(command.positionals)];
  const name = entry.path.at(-1) ?? '';
  const group = GROUPS[entry.path.join(' ')];
  const chosen: ParsedArguments[] = [];
  // The sentences of a group that is a command itself, as `convert` is, follow the summary.
  const about = [`${entry.summary}.`, ...(group === undefined ? [] : [group.text])].join('\n\n');
  const build = (builder: Argv): void => {
    builder.usage(`$0 ${[...entry.path, entry.syntax].join(' ').trim()} [options]\n\n${about}`);
    for (const [key, { describe, form }] of Object.entries(command.positionals)) {
      builder.positional(key, { describe, type: form === 'word' ? 'number' : 'string', array: form === 'list' });
    }
    builder.options(Object.fromEntries(Object.entries(tables).map(([key, one]) => [key, yargsOption(key, one)])));
    builder.epilogue([...examples(command), ...commandsBelow(entry)].join('\n'));
    // Before yargs' own checks: a mistyped option is better news than the missing one it was meant to be.
    builder.middleware((found) => {
      const unknown = Object.keys(found).find((key) => ![...known, ...BUILT_IN].includes(key));
      if (unknown !== undefined) throw unknownOption(unknown, [...known, ...BUILT_IN_OPTIONS]);
    }, true);
  };
  const parser = yargs()
    .scriptName(runnable('gsva'))
    .exitProcess(false)
    .showHelpOnFail(false)
    .detectLocale(false)
    .strict()
    .parserConfiguration({
      'camel-case-expansion': false,
      'boolean-negation': false,
      'dot-notation': false,
      'parse-positional-numbers': false,
    })
    .wrap(Math.min(columns, MAX_WIDTH))
    .help()
    .alias('help', 'h')
    .version(version)
    .command(`${name} ${entry.syntax}`.trim(), entry.summary, build, (found) => {
      const args = Object.fromEntries(known.map((key) => [camelCase(key), found[key]]));
      chosen.push({ kind: 'arguments', args });
    });
  let text = '';
  let failure: unknown;
  await parser.parseAsync([name, ...words], {}, (error: Error | null | undefined, _args, output) => {
    failure = error;
    text = output;
  });
  if (failure instanceof UsageError) throw failure;
  if (failure !== undefined && failure !== null) throw new UsageError(readable(messageOf(failure)));
  return chosen[0] ?? { kind: 'text', text: `${text}\n` };
}

function yargsOption(name: string, option: Option<unknown>): Options {
  const { describe, form } = option;
  if (form === 'flag') return { describe, type: 'boolean', default: false };
  return {
    describe,
    ...(form === 'word' ? {} : { type: 'string' }),
    ...(form === 'list' ? { array: true } : {}),
    ...(option.isBare === true ? {} : { requiresArg: true }),
    ...(option.choices === undefined ? {} : { choices: option.choices }),
    ...(option.isRequired ? { demandOption: true } : {}),
    ...('default' in option ? { default: option.default } : {}),
    ...(option.defaultText === undefined ? {} : { defaultDescription: option.defaultText }),
    coerce: (value: unknown) => option.read(value, name),
  };
}

/** Each example on a line of its own, to be copied as it stands. */
function examples(command: Command): string[] {
  const lines = Object.entries(command.examples);
  return ['Examples:', ...lines.flatMap(([line, purpose]) => [`  # ${purpose}`, `  ${runnable(line)}`])];
}

/** Commands whose words begin with those of this one: `convert delta`. */
function commandsBelow({ path }: CommandEntry): string[] {
  const words = path.join(' ');
  const lines = COMMANDS.map((one) => [one.path.join(' '), one.summary] as const);
  return lines.flatMap(([name, summary]) =>
    name.startsWith(`${words} `) ? ['', `${runnable(`gsva ${name}`)}: ${summary}`] : [],
  );
}

/** yargs' message in our words. */
function readable(message: string): string {
  const unknown = /^Unknown (?:argument|command)s?: (.*)$/s.exec(message)?.[1];
  if (unknown !== undefined) return `unexpected argument "${unknown.split(', ')[0] ?? ''}"`;
  const missing = /^Missing required arguments?: (.*)$/s.exec(message)?.[1];
  if (missing !== undefined) return `${flags(missing)} is required`;
  const noValue = /^Not enough arguments following: (.*)$/s.exec(message)?.[1];
  if (noValue !== undefined) return `${flags(noValue)} needs a value`;
  if (message.startsWith('Not enough non-option arguments'))
    return 'an argument is missing; the folder or file to work on comes after the command';
  return message.replace(/\s*\n\s*/g, ' ').trim();
}

function flags(names: string): string {
  return names
    .split(', ')
    .map((name) => `--${name}`)
    .join(', ');
}
