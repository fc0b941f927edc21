/** Errors whose message is written for the person at the keyboard: the CLI prints it as one line, without a stack. */

/**
 * Kinds of refusals, stable across versions: `error.code` of every UserError.
 *
 *     bad-input        a file, a key, a shape or a value cannot be used (where none of the others says more)
 *     bad-option       an option, or the command line, is unknown or has a value that is not allowed
 *     bad-expression   an expression is empty, reserved, or not a text
 *     too-long         the expressions make a longer conversation than the model takes
 *     bad-image        the picture cannot be read or is none
 *     bad-model        the model's folder or files are missing, incomplete or do not belong together
 *     engine           the engine cannot be started, or another one is in use in this process
 *     not-finite       the network computed a value that is not a number
 *     disposed         the model or the scene was disposed
 */
export type ErrorCode =
  | 'bad-input'
  | 'bad-option'
  | 'bad-expression'
  | 'too-long'
  | 'bad-image'
  | 'bad-model'
  | 'engine'
  | 'not-finite'
  | 'disposed';

/** The input (a file, a key, a shape, an image, an expression) cannot be used. Ends the program with exit code 1. */
export class UserError extends Error {
  override readonly name: string = 'UserError';

  /** @param code what kind of refusal it is, for programs */
  constructor(
    message: string,
    readonly code: ErrorCode = 'bad-input',
  ) {
    super(message);
  }
}

/** The command line itself is wrong. Ends the program with exit code 2. */
export class UsageError extends UserError {
  override readonly name: string = 'UsageError';

  constructor(message: string, code: ErrorCode = 'bad-option') {
    super(message, code);
  }
}

/** The message of anything thrown, for wrapping into a UserError that says what was being done. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Does the work; a UserError of the general kind 'bad-input' that it throws becomes one of `code`, its message and its
 * stack the same. The deep parts (files, JSON, tensors) do not know on whose behalf they refuse; the caller does.
 */
export function coded<T>(code: ErrorCode, work: () => T): T {
  try {
    const done = work();
    if (!(done instanceof Promise)) return done;
    return done.catch((error: unknown) => {
      throw withCode(error, code);
    }) as T;
  } catch (error) {
    throw withCode(error, code);
  }
}

function withCode(error: unknown, code: ErrorCode): unknown {
  if (!(error instanceof UserError) || error.code !== 'bad-input') return error;
  const said = new UserError(error.message, code);
  if (error.stack !== undefined) said.stack = error.stack;
  return said;
}
