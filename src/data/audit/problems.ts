/** Problems of a dataset: counted by kind, with a few examples of each. */
import { UserError } from '../../errors.js';

/** In the order of the report. */
export const PROBLEM_KINDS = [
  'missing file',
  'unreadable file',
  'unusable record',
  'id used twice',
  'broken reference',
  'empty expression',
  'invalid mask',
  'unusable label map',
  'missing image',
  'unreadable image',
  'size mismatch',
  'image in two splits',
] as const;
export type ProblemKind = (typeof PROBLEM_KINDS)[number];

export interface DataProblem {
  readonly kind: ProblemKind;
  readonly count: number;
  /** The first ones, each a sentence with file and record. */
  readonly examples: readonly string[];
}

const MOST_EXAMPLES = 5;
/** Examples may contain texts of files. */
const MOST_CHARACTERS = 500;

export class ProblemList {
  private readonly byKind = new Map<ProblemKind, { count: number; readonly examples: string[] }>();

  add(kind: ProblemKind, example: string): void {
    const known = this.byKind.get(kind);
    const entry = known ?? { count: 0, examples: [] };
    if (known === undefined) this.byKind.set(kind, entry);
    entry.count++;
    if (entry.examples.length < MOST_EXAMPLES) entry.examples.push(example.slice(0, MOST_CHARACTERS));
  }

  /** Runs work on one record; a UserError makes the record a problem, and the next one follows. */
  guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.add('unusable record', error.message);
    }
  }

  get list(): DataProblem[] {
    return PROBLEM_KINDS.flatMap((kind) => {
      const entry = this.byKind.get(kind);
      return entry === undefined ? [] : [{ kind, ...entry }];
    });
  }
}
