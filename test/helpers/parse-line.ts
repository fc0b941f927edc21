/** The arguments that a command line gives its command, or an error where the command line would refuse it. */
import { readWords } from '../../src/cli/command-words.js';
import { COMMANDS } from '../../src/cli/commands.js';
import { parseArguments } from '../../src/cli/parse.js';

/** @param words behind the program's name */
export async function parseLine(words: readonly string[]): Promise<Record<string, unknown>> {
  const request = readWords(words, COMMANDS);
  if (request.kind !== 'command') throw new Error(`not a command: ${words.join(' ')}`);
  const command = await request.entry.load();
  const parsed = await parseArguments(request.words, request.entry, command, '0');
  if (parsed.kind === 'text') throw new Error(`help, not a command: ${words.join(' ')}`);
  return parsed.args;
}
