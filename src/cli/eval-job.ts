/** The work behind `gsva eval`: from a checked request to results. */
import { UserError } from '../errors.js';
import type { VerbContext } from './verb.js';

/** What `gsva eval` was asked for, checked. */
export interface EvalRequest {
  readonly model: string;
  readonly data: string;
  readonly dataset: 'grefcoco';
  readonly split: 'train' | 'val' | 'testA' | 'testB';
  /**
   * 'strict': what is wrongly rejected has an empty mask; 'reference': as published, it keeps the mask of a second
   * pass; 'generate': strict, on answers that the model writes freely. At least one, each once.
   */
  readonly protocols: readonly ('strict' | 'reference' | 'generate')[];
  /** At most this many images, from the start of the split. */
  readonly limit: number | null;
  /** Images computed at once. */
  readonly batch: number;
  /** Folder for a report with pictures; null for none. */
  readonly report: string | null;
}

/** @returns the exit code */
export async function runEval(_request: EvalRequest, _context: VerbContext): Promise<number> {
  throw new UserError('eval: the body of src/cli/eval-job.ts is still to be written');
}
