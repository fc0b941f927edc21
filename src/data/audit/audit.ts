/** What looking through a dataset means, for all kinds: what is given, and what comes out. */
import type { CatalogueEntry, Figures } from '../catalogue/entry.js';
import type { ImageChecker } from './image-checker.js';
import type { ProblemList } from './problems.js';

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
