/** The check of meta.json (model-meta.ts). */
import { z } from 'zod';
import { number, object, record, text } from '../schema.js';
import { FORMAT } from './model-meta.js';

export const META_SCHEMA = object({
  format: z.literal(FORMAT, { error: `${FORMAT}, the format that this version reads` }),
  conversation: text(),
  stage: text(),
  description: text(),
  knows: text().optional(),
  rejectThreshold: number({ min: 0, max: 1 }).optional(),
  variant: z.unknown().optional(),
  details: record(z.unknown()).optional(),
});
