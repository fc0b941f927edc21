/** The words that a command line begins with: the command that they name, help, or the command a misspelt word meant. */
import { UsageError } from '../errors.js';
import { nearestName } from '../nearest-name.js';
import type { CommandEntry } from './commands.js';
import { GLOBAL_OPTIONS } from './options/shared.js';

type Request =
  | { readonly kind: 'version' }
  /** The help of the program (no words) or of a group of commands. */
  | { readonly kind: 'help'; readonly path: readonly string[] }
  | { readonly kind: 'command'; readonly entry: CommandEntry; readonly words: readonly string[] };

const HELP = ['--help', '-h'];

/** @throws UsageError for words that name no command, with the nearest one */
export function readWords(given: readonly string[], commands: readonly CommandEntry[]): Request {
  const words = optionsBehind(given);
  const [first, ...rest] = words;
  const asksForHelp = first === 'help' && !commands.some(({ path }) => path[0] === 'help');
  const leading = asksForHelp ? rest : words;
  const option = leading.findIndex((word) => word.startsWith('-'));
  const named = option < 0 ? leading : leading.slice(0, option);
  const wantsHelp = asksForHelp || words.some((word) => HELP.includes(word));
  if (named.length === 0) return withoutCommand(words, wantsHelp, commands);
  const path = knownPath(named, commands);
  const own = commands.find((entry) => isSame(entry.path, path));
  const next = named[path.length];
  if (own !== undefined && (next === undefined || own.syntax !== '')) {
    const behind = words.slice(path.length + Number(asksForHelp));
    return { kind: 'command', entry: own, words: asksForHelp ? [...behind, '--help'] : behind };
  }
  // `segment help` is `segment --help`.
  if (own !== undefined && next === 'help') return { kind: 'command', entry: own, words: ['--help'] };
  if (next === undefined && wantsHelp) return { kind: 'help', path };
  if (next === undefined) {
    const below = commands.filter((one) => isSame(one.path.slice(0, path.length), path));
    throw new UsageError(`say what to do: ${below.map((one) => one.path.join(' ')).join(', ')}`);
  }
  const meant = suggestion(next, path, commands);
  throw new UsageError(
    own === undefined
      ? `unknown command "${[...path, next].join(' ')}"${meant}`
      : `unexpected argument "${next}"${meant}`,
  );
}

function withoutCommand(words: readonly string[], wantsHelp: boolean, commands: readonly CommandEntry[]): Request {
  if (wantsHelp) return { kind: 'help', path: [] };
  if (words.includes('--version')) return { kind: 'version' };
  const known = [...Object.keys(GLOBAL_OPTIONS), 'help', 'version'];
  const unknown = words.map(nameOf).find((name) => name !== null && !known.includes(name));
  if (typeof unknown === 'string') throw unknownOption(unknown, known);
  const all = new Set(commands.map(({ path }) => path[0] as string));
  throw new UsageError(`say what to do: ${[...all].join(', ')}`);
}

/** Options in front of the command, put behind it: `gsva --engine wasm demo`. */
function optionsBehind(words: readonly string[]): readonly string[] {
  let at = 0;
  while (at < words.length) {
    const name = nameOf(words[at] as string);
    const option = Object.entries(GLOBAL_OPTIONS).find(([known]) => known === name)?.[1];
    if (option === undefined) break;
    at += option.form === 'flag' || words[at]?.includes('=') === true ? 1 : 2;
  }
  return [...words.slice(at), ...words.slice(0, at)];
}

/** "--engine=wasm" → "engine"; null for a word that is no option. */
function nameOf(word: string): string | null {
  return /^--?([^=-][^=]*)/.exec(word)?.[1] ?? null;
}

/** @param known names of options, without dashes */
export function unknownOption(name: string, known: readonly string[]): UsageError {
  const nearest = nearestName(name, known);
  const hint = nearest === null ? '' : ` (did you mean --${nearest}?)`;
  return new UsageError(`unknown option ${name.length === 1 ? '-' : '--'}${name}${hint}`);
}

/** The longest beginning of the words that is a command or begins one: ['data'], ['data', 'check']. */
export function knownPath(words: readonly string[], commands: readonly CommandEntry[]): readonly string[] {
  let known = 0;
  for (const { path } of commands) {
    let length = 0;
    while (length < path.length && path[length] === words[length]) length++;
    known = Math.max(known, length);
  }
  return words.slice(0, known);
}

/** ` (did you mean "data check"?)`: a command at this place, or one that is a word deeper or elsewhere. */
function suggestion(word: string, path: readonly string[], commands: readonly CommandEntry[]): string {
  const at = path.length;
  const here = commands.filter((one) => one.path.length > at && isSame(one.path.slice(0, at), path));
  const near = nearestName(word, new Set(here.map((one) => one.path[at] as string)));
  if (near !== null) return asked([...path, near]);
  const last = nearestName(word, new Set(commands.map((one) => one.path.at(-1) as string)));
  const other = last === null ? undefined : commands.find((one) => one.path.at(-1) === last);
  return other === undefined || at > 0 ? '' : asked(other.path);
}

function asked(path: readonly string[]): string {
  return ` (did you mean "${path.join(' ')}"?)`;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((word, i) => word === b[i]);
}
