/** From the words of a command line to a verb and its checked arguments, or to a text to print (help, version). */
import yargs, { type Argv } from 'yargs';
import { UsageError, messageOf } from '../errors.js';
import { nearestName } from '../nearest-name.js';
import { gsvaCommand, runnable } from '../program.js';
import { GLOBAL_OPTIONS } from './options.js';
import { readVerbWords } from './verb-words.js';
import type { Verb } from './verb.js';

export type ParsedCommand =
  | { readonly kind: 'verb'; readonly verb: Verb; readonly args: Record<string, unknown> }
  | { readonly kind: 'text'; readonly text: string };

/** Sentences of the words that several verbs begin with. */
export const GROUP_TEXTS: Readonly<Record<string, string>> = {
  report: 'Reports, comparisons and thresholds from recorded results',
  convert: "Write a model as one of our folders; add LLaVA's delta to LLaMA",
  data: 'Check, count and show datasets, import your own, make synthetic ones',
  bench: 'Measure how fast this machine computes, also with a model of real size',
  setup: 'Install the engine tensorflow: TensorFlow itself, on a CUDA GPU or the CPU',
};

const BUILT_IN_OPTIONS = ['help', 'h', 'version'];
const MAX_WIDTH = 110;

/**
 * @param columns width of the terminal for help texts, if there is one
 * @throws UsageError for an unknown verb or option (naming the nearest known one) and for bad or missing values
 */
export async function parseCommand(
  words: readonly string[],
  verbs: readonly Verb[],
  version: string,
  columns: number | undefined,
): Promise<ParsedCommand> {
  const chosen: ParsedCommand[] = [];
  const parser = createParser(version, columns);
  const choose = (verb: Verb, args: Record<string, unknown>): void => {
    chosen.push({ kind: 'verb', verb, args });
  };
  addVerbs(parser, verbs, 0, choose);
  parser.demandCommand(1, `say what to do: ${firstWords(verbs).join(', ')}`);
  const checked = readVerbWords(words, verbs);

  let text = '';
  let failure: unknown;
  await parser.parseAsync([...checked], {}, (error: Error | null | undefined, _args, output) => {
    failure = error;
    text = output;
  });
  if (failure instanceof UsageError) throw failure;
  if (failure !== undefined && failure !== null) throw new UsageError(readable(messageOf(failure), words));
  return chosen[0] ?? { kind: 'text', text: `${text}\n` };
}

function createParser(version: string, columns: number | undefined): Argv {
  return yargs()
    .scriptName(runnable('gsva'))
    .usage('$0 <verb> [options]\n\nGeneralized referring segmentation by a multimodal LLM.')
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
    .wrap(Math.min(columns ?? MAX_WIDTH, MAX_WIDTH))
    .help()
    .alias('help', 'h')
    .version(version)
    .epilogue(`${gsvaCommand('help <verb>')} shows the options of a verb with examples.`);
}

/** Adds the verbs below one level of words; verbs that share a first word (`data synth`) become a group. */
function addVerbs(
  parser: Argv,
  verbs: readonly Verb[],
  depth: number,
  choose: (verb: Verb, args: Record<string, unknown>) => void,
): void {
  for (const word of new Set(verbs.map((verb) => verb.path[depth]))) {
    const below = verbs.filter((verb) => verb.path[depth] === word);
    if (word === undefined) continue;
    const own = below.find(({ path }) => path.length === depth + 1);
    const deeper = below.filter((verb) => verb !== own);
    if (own !== undefined && deeper.length === 0) {
      addVerb(parser, own, word, choose);
      continue;
    }
    parser.command(word, GROUP_TEXTS[word] ?? below.map((verb) => verb.describe).join('; '), (group) => {
      addVerbs(group.usage('$0 <verb> [options]'), deeper, depth + 1, choose);
      // `convert` is a verb itself, and the beginning of `convert delta`.
      if (own !== undefined) addVerb(group, own, '$0', choose);
      else group.demandCommand(1, `say what to do: ${deeper.map((verb) => verb.path.join(' ')).join(', ')}`);
    });
  }
}

function addVerb(
  parser: Argv,
  verb: Verb,
  word: string,
  choose: (verb: Verb, args: Record<string, unknown>) => void,
): void {
  const command = `${word} ${verb.positionalSyntax}`.trim();
  const options = { ...verb.options, ...GLOBAL_OPTIONS };
  const knownKeys = [...Object.keys(options), ...Object.keys(verb.positionals), ...BUILT_IN_OPTIONS];
  parser.command(
    command,
    verb.describe,
    (builder) => {
      builder.usage(`$0 ${[...verb.path, verb.positionalSyntax].join(' ').trim()} [options]\n\n${verb.describe}.`);
      for (const [name, positional] of Object.entries(verb.positionals)) builder.positional(name, positional);
      builder.options(options).epilogue(examplesText(verb));
      // Before yargs' own checks: a mistyped option is better news than the missing one it was meant to be.
      builder.middleware((args) => refuseUnknownOptions(args, knownKeys), true);
    },
    (args) => choose(verb, args),
  );
}

/** Each example on a line of its own, to be copied as it stands. */
function examplesText({ examples }: Verb): string {
  return ['Examples:', ...examples.flatMap(([line, purpose]) => [`  # ${purpose}`, `  ${runnable(line)}`])].join('\n');
}

function refuseUnknownOptions(args: Record<string, unknown>, knownKeys: readonly string[]): void {
  for (const key of Object.keys(args)) {
    if (key === '_' || key === '$0' || knownKeys.includes(key)) continue;
    const dashes = key.length === 1 ? '-' : '--';
    throw new UsageError(`unknown option ${dashes}${key}${optionHint(key, knownKeys)}`);
  }
}

function optionHint(given: string, known: readonly string[]): string {
  const nearest = nearestName(given, known);
  return nearest === null ? '' : ` (did you mean --${nearest}?)`;
}

/** yargs' message in our words. */
function readable(message: string, words: readonly string[]): string {
  const unknown = /^Unknown (?:argument|command)s?: (.*)$/s.exec(message)?.[1];
  if (unknown !== undefined) return unknownWord(unknown, words);
  const missing = /^Missing required arguments?: (.*)$/s.exec(message)?.[1];
  if (missing !== undefined) return `${flags(missing)} is required`;
  const noValue = /^Not enough arguments following: (.*)$/s.exec(message)?.[1];
  if (noValue !== undefined) return `${flags(noValue)} needs a value`;
  if (message.startsWith('Not enough non-option arguments'))
    return 'an argument is missing; the folder or file to work on comes after the verb';
  return message.replace(/\s*\n\s*/g, ' ').trim();
}

function flags(names: string): string {
  return names
    .split(', ')
    .map((name) => `--${name}`)
    .join(', ');
}

/** An option in front of the verb, or a word behind it. */
function unknownWord(unknown: string, words: readonly string[]): string {
  const first = unknown.split(', ')[0] as string;
  const option = [`--${first}`, `-${first}`].find((name) =>
    words.some((word) => word === name || word.startsWith(`${name}=`)),
  );
  if (option === undefined) return `unexpected argument "${first}"`;
  return `unknown option ${option}${optionHint(first, [...Object.keys(GLOBAL_OPTIONS), 'help', 'version'])}`;
}

function firstWords(verbs: readonly Verb[]): string[] {
  return [...new Set(verbs.map((verb) => verb.path[0] as string))];
}
