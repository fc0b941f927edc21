/** The work behind `gsva segment`: from a checked request to results. */
import { UserError } from '../errors.js';
import type { VerbContext } from './verb.js';

/** What `gsva segment` was asked for, checked. */
export interface SegmentRequest {
  readonly image: string;
  readonly expressions: readonly string[];
  readonly model: string;
  /** Where to write the overlay (and the masks, when it is a folder); null to write nothing. */
  readonly out: string | null;
  /** 'ask': the answer's form is given and the model decides [SEG] or [REJ]; 'generate': it writes freely. */
  readonly mode: 'ask' | 'generate';
}

/** @returns the exit code */
export async function runSegment(_request: SegmentRequest, _context: VerbContext): Promise<number> {
  throw new UserError('segment: the body of src/cli/segment-job.ts is still to be written');
}
