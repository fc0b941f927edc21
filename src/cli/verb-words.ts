/** The words that a command line begins with: the verb that they name, `help`, and what a misspelt one was meant to be. */
import { UsageError } from '../errors.js';
import { nearestName } from '../nearest-name.js';
import type { Verb } from './verb.js';

const HELP = ['--help', '-h'];

/**
 * The command line with its verb checked, and `help data check` written as `data check --help`.
 * @throws UsageError for words that name no verb, with the nearest one that there is
 */
export function readVerbWords(words: readonly string[], verbs: readonly Verb[]): readonly string[] {
  const [first, ...rest] = words;
  const asksForHelp = first === 'help' && !verbs.some(({ path }) => path[0] === 'help');
  const spoken = leading(asksForHelp ? rest : words);
  if (spoken.length === 0) return asksForHelp ? ['--help'] : words;
  const path = knownPath(spoken, verbs);
  const own = verbs.find((verb) => isSame(verb.path, path));
  const next = spoken[path.length];
  // `segment help` is `segment --help`.
  const isKnown = own !== undefined || (path.length > 0 && next === undefined);
  if ((asksForHelp && isKnown) || (next === 'help' && own?.positionalSyntax === '')) return [...path, '--help'];
  const wantsHelp = words.some((word) => HELP.includes(word));
  if (own === undefined && next === undefined && !wantsHelp) {
    throw new UsageError(`say what to do: ${below(path, verbs).join(', ')}`);
  }
  if (next === undefined || (own !== undefined && own.positionalSyntax !== '')) return words;
  const said = [...path, next].join(' ');
  const meant = suggestion(next, path, verbs);
  throw new UsageError(own === undefined ? `unknown verb "${said}"${meant}` : `unexpected argument "${next}"${meant}`);
}

/** The longest beginning of the words that is a verb or begins one: ['data'], ['data', 'check']. */
export function knownPath(words: readonly string[], verbs: readonly Verb[]): readonly string[] {
  let known = 0;
  for (const { path } of verbs) {
    let length = 0;
    while (length < path.length && path[length] === words[length]) length++;
    known = Math.max(known, length);
  }
  return words.slice(0, known);
}

/** Verbs below some words, in full: "data check", "data stats". */
export function below(path: readonly string[], verbs: readonly Verb[]): string[] {
  return verbs.filter((verb) => isSame(verb.path.slice(0, path.length), path)).map((verb) => verb.path.join(' '));
}

function leading(words: readonly string[]): readonly string[] {
  const option = words.findIndex((word) => word.startsWith('-'));
  return option < 0 ? words : words.slice(0, option);
}

/** ` (did you mean "data check"?)`: a verb at this place, or one that is a word deeper or elsewhere. */
function suggestion(word: string, path: readonly string[], verbs: readonly Verb[]): string {
  const at = path.length;
  const here = verbs.filter((verb) => verb.path.length > at && isSame(verb.path.slice(0, at), path));
  const near = nearestName(word, new Set(here.map((verb) => verb.path[at] as string)));
  if (near !== null) return asked([...path, near]);
  const last = nearestName(word, new Set(verbs.map((verb) => verb.path.at(-1) as string)));
  const other = last === null ? undefined : verbs.find((verb) => verb.path.at(-1) === last);
  return other === undefined || at > 0 ? '' : asked(other.path);
}

function asked(path: readonly string[]): string {
  return ` (did you mean "${path.join(' ')}"?)`;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((word, i) => word === b[i]);
}
