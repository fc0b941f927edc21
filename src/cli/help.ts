/** The help of the program and of groups of commands; that of a command is made of its options (parse.ts). */
import { gsvaCommand, runnable } from '../program.js';
import { type CommandEntry, GROUPS } from './commands.js';

/** Help texts are no wider, however wide the terminal is. */
export const MAX_WIDTH = 110;

/** @param path words of a group; none for the whole program @param columns width of the terminal, if there is one */
export function helpText(path: readonly string[], commands: readonly CommandEntry[], columns = MAX_WIDTH): string {
  const width = Math.min(columns, MAX_WIDTH);
  const words = path.join(' ');
  const about =
    GROUPS[words]?.text ??
    'GSVA, LISA and SELF1E: multimodal LLMs that answer with masks for what they find, and say what is absent.';
  return [
    `${[runnable('gsva'), ...path].join(' ')} <command> [options]`,
    '',
    ...wrapped(about, width, 0),
    '',
    'Commands:',
    ...table(linesBelow(path, commands), width),
    '',
    'Options:',
    ...table(
      [['-h, --help', 'Show help'], ...(words === '' ? [['--version', 'Show the version'] as const] : [])],
      width,
    ),
    '',
    ...wrapped(`${gsvaCommand('help <command>')} shows the options of a command with examples.`, width, 0),
    '',
  ].join('\n');
}

/** Commands one word deeper, each group as one line. */
function linesBelow(path: readonly string[], commands: readonly CommandEntry[]): (readonly [string, string])[] {
  const inside = commands.filter((entry) => path.every((word, i) => entry.path[i] === word));
  const lines = new Map<string, string>();
  for (const entry of inside) {
    const words = entry.path.slice(0, path.length + 1).join(' ');
    const isWhole = entry.path.length === path.length + 1;
    const group = GROUPS[words];
    if (group !== undefined) lines.set(words, group.summary);
    else if (isWhole) lines.set(`${words} ${entry.syntax}`.trim(), entry.summary);
  }
  return [...lines];
}

function table(rows: readonly (readonly [string, string])[], width: number): string[] {
  const indent = 4 + Math.max(...rows.map(([name]) => name.length));
  return rows.flatMap(([name, text]) => {
    const [first = '', ...more] = wrapped(text, width, indent);
    return [`  ${name.padEnd(indent - 2)}${first.slice(indent)}`, ...more];
  });
}

function wrapped(text: string, width: number, indent: number): string[] {
  const lines: string[] = [];
  const space = Math.max(20, width - indent);
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > space) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((one) => ' '.repeat(indent) + one);
}
