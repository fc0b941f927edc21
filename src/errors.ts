/** Errors whose message is written for the person at the keyboard: the CLI prints it as one line, without a stack. */

/** The input (a file, a key, a shape, an image, an expression) cannot be used. Ends the program with exit code 1. */
export class UserError extends Error {
  override readonly name: string = 'UserError';
}

/** The command line itself is wrong. Ends the program with exit code 2. */
export class UsageError extends UserError {
  override readonly name: string = 'UsageError';
}

/** The message of anything thrown, for wrapping into a UserError that says what was being done. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
