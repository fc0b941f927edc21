/** Paths of the recorded reference results (test/fixtures, copied from the reference runs; see docs). */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const FIXTURES = resolve('test', 'fixtures');

/** Absolute path of a recorded file. */
export function fixture(...parts: string[]): string {
  return join(FIXTURES, ...parts);
}

/** Photographs are not kept in the repository; tests that use them run only where ../shared is present. */
export function sharedFixture(...parts: string[]): string | null {
  const path = resolve('..', 'shared', 'fixtures', ...parts);
  return existsSync(path) ? path : null;
}
