/** Colours of a stream, by the environment. */
import type { CliIo } from './command.js';
import type { ProgressStream } from './progress.js';

export function wantsColor(stream: ProgressStream, env: CliIo['env']): boolean {
  return stream.isTTY === true && !isSet(env.NO_COLOR) && env.TERM !== 'dumb';
}

/** As NO_COLOR's definition has it: present and not empty. */
export function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}
