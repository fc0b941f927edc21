/** What is wrong with a dataset: counted by kind, with a few examples of each, however many there are. */
import { UserError } from '../../errors.js';
import type { CatalogueEntry, Figures } from '../catalogue/entry.js';
import type { ImageChecker } from './image-checker.js';

/** In the order in which they are told. */
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
/** Texts of files stand in the examples. */
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

  /** Does something with one record; where that ends in a UserError, the record is of no use, and the next follows. */
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

export interface AuditedFigures {
  /** By split, in the order of the files. */
  readonly splits: Readonly<Record<string, Figures>>;
  /** Different images of all splits together. */
  readonly images: number;
  /** Notes on files that were not checked in full. */
  readonly notes?: readonly string[];
}

export interface AuditInput {
  readonly dataDir: string;
  readonly entry: CatalogueEntry;
  /** Looks into masks and image files too, not only at what the annotations say. */
  readonly isThorough: boolean;
  readonly images: ImageChecker;
  readonly problems: ProblemList;
}

/** Annotations are read here record by record; nothing is kept of them but ids and counts. */
export type Audit = (input: AuditInput) => Promise<AuditedFigures>;
