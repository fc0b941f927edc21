/** Findings about one model. */
import type { PackagedModel, ReleasedModel } from '../checkpoints/catalogue/entry.js';
import type { Found, FoundModel } from '../checkpoints/catalogue/find-files.js';
import type { ModelNeed } from './models-memory.js';

export interface ReleasedReport {
  readonly model: ReleasedModel;
  readonly found: FoundModel;
  readonly need: ModelNeed;
}

export interface PackagedReport {
  readonly model: PackagedModel;
  readonly found: Found;
  /** Null in the list, and where its sizes cannot be read. */
  readonly need: ModelNeed | null;
}

export const STATE_WORDS = {
  absent: 'not there',
  broken: 'problems',
  partial: 'files missing',
  files: 'to convert',
  complete: 'complete',
} as const;
