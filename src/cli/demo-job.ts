/** The work behind `gsva demo`: from a checked request to results. */
import { UserError } from '../errors.js';
import type { VerbContext } from './verb.js';

/** What `gsva demo` was asked for, checked. */
export interface DemoRequest {
  /** Training time. */
  readonly minutes: number;
  readonly out: string;
  readonly seed: number;
}

/** @returns the exit code */
export async function runDemo(_request: DemoRequest, _context: VerbContext): Promise<number> {
  throw new UserError('demo: the body of src/cli/demo-job.ts is still to be written');
}
