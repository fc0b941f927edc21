/** Facts about a model besides its numbers: meta.json of its folder. */
import type { Variant } from '../variant.js';

export interface ModelMeta {
  /** Style of conversation that it was trained with (ConversationStyle). */
  readonly conversation: string;
  /** The training it comes from: 'base', 'gsva', … */
  readonly stage: string;
  readonly description: string;
  /** Subjects that its answers can be trusted on, in a few words: "coloured shapes only"; absent: none are named. */
  readonly knows?: string;
  /** An expression is rejected from this probability of [REJ] against [SEG] on, as found out by calibration. */
  readonly rejectThreshold?: number;
  /** Form of its answers; absent: as published. */
  readonly variant?: Variant;
  /** Further facts for a reader: seed, updates, figures. Nothing depends on them. */
  readonly details?: Readonly<Record<string, unknown>>;
}
