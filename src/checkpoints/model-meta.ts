/** Facts about a model in addition to its numbers: meta.json of its folder. */
import { z } from 'zod';
import { number, object, type Read, record, text } from '../schema.js';

/** Raised when the meaning of the folder's files changes. */
export const FORMAT = 1;

export const META_SCHEMA = object({
  format: z.literal(FORMAT, { error: `${FORMAT}, the format that this version reads` }),
  /** Style of conversation that it was trained with (ConversationStyle). */
  conversation: text(),
  /** The training it comes from: 'base', 'gsva', … */
  stage: text(),
  description: text(),
  /** Subjects that its answers can be trusted on, in a few words: "coloured shapes only"; absent: none are named. */
  knows: text().optional(),
  /** A target is absent from this probability of the token that says so on, as found out by calibration. */
  rejectThreshold: number({ min: 0, max: 1 }).optional(),
  /** Form of its answers, which its system reads; absent: as published. */
  variant: z.unknown().optional(),
  /** Further facts for a reader: seed, updates, figures. Nothing depends on them. */
  details: record(z.unknown()).optional(),
});

export type ModelMeta = Omit<Read<typeof META_SCHEMA>, 'format'>;
