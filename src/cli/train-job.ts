/** The work behind `gsva train`: from a checked request to results. */
import { UserError } from '../errors.js';
import type { VerbContext } from './verb.js';

/** What `gsva train` was asked for, checked; the configuration itself is read by the job. */
export interface TrainRequest {
  readonly config: string;
  /** Keys of the configuration to replace, in order; values as typed, JSON5. */
  readonly overrides: readonly (readonly [key: string, value: string])[];
  readonly out: string;
  /** Continue from the last checkpoint in `out`. */
  readonly resume: boolean;
  /** Dataset folder instead of the configuration's. */
  readonly data: string | null;
  /** Stop (saved and evaluated) after this time. */
  readonly minutes: number | null;
}

/** @returns the exit code */
export async function runTrain(_request: TrainRequest, _context: VerbContext): Promise<number> {
  throw new UserError('train: the body of src/cli/train-job.ts is still to be written');
}
