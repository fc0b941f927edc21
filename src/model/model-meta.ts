/** What a model is, besides its numbers: meta.json of its folder. */
import type { Variant } from '../variant.js';

export interface ModelMeta {
  /** Style of conversation that it was trained with (ConversationStyle). */
  readonly conversation: string;
  /** The training it comes from: 'base', 'gsva', … */
  readonly stage: string;
  readonly description: string;
  /** What its answers are worth something about, in a few words: "coloured shapes only"; absent: nothing is said. */
  readonly knows?: string;
  /** An expression is rejected from this probability of [REJ] against [SEG] on, as found out by calibration. */
  readonly rejectThreshold?: number;
  /** What its answers are made of; absent: as published. */
  readonly variant?: Variant;
  /** Further facts for a reader: seed, updates, figures. Nothing depends on them. */
  readonly details?: Readonly<Record<string, unknown>>;
}
