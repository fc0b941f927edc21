/** Commands of this program in messages. How it was started is known to `program.ts`; in a browser it has a bare name. */
let program = (): string => 'gsva';

/** Sets how the program is called in messages from now on. */
export function nameProgram(by: () => string): void {
  program = by;
}

/** A command of this program as it can be copied from a message. @param words "setup tensorflow --gpu" */
export function gsvaCommand(words: string): string {
  return `${program()} ${words}`;
}
