/** A training run's configuration file (JSON5, see configs/), all that it extends put together. */
import { PARTIAL_SIZES } from '../../systems/model-configs.js';
import { VARIANT_SCHEMA } from '../../systems/shared/variant-schema.js';
import { CONVERSATION_STYLES } from '../../data/text/conversation.js';
import { alsoCheck, flag, integer, list, number, object, oneOf, type Read, text } from '../../schema.js';
import { SYSTEM_NAMES } from '../../systems/index.js';
import { isGrounding, type Stage, STAGES } from '../trainable.js';
import { DATA_SCHEMA } from './data-config.js';
import { FROZEN_WEIGHTS, type FrozenWeights } from './frozen-weights.js';
import { TRAINING_SCHEMA } from './training-config.js';

export const EXPERIMENT_SCHEMA = object({
  stage: oneOf(STAGES).describe('What trains'),
  description: text().describe('The model that is made, in words'),
  knows: text()
    .regex(/\S/, { error: 'a few words on what the model will know, such as "coloured shapes only"' })
    .describe('Subjects that the model will know, in a few words; by default those of the start model')
    .optional(),
  system: oneOf(SYSTEM_NAMES)
    .describe("The system that is trained; by default the start model's, else gsva")
    .optional(),
  model: PARTIAL_SIZES.describe('Sizes: all of them, or what differs from the start model').optional(),
  plannedModel: PARTIAL_SIZES.describe('Sizes to plan with while the folder "start" is absent').optional(),
  start: text().describe('Model folder whose weights are the start; without it weights are random').optional(),
  drawn: list(text())
    .describe('Parts whose weights the start model may have, and which are drawn at random all the same')
    .default([]),
  tokenizer: text().describe("Folder with the tokenizer's files; by default the start model's").optional(),
  conversation: oneOf(CONVERSATION_STYLES).describe("Form of conversation; by default the start model's").optional(),
  variant: VARIANT_SCHEMA.optional(),
  explanationOnly: number({ min: -1, max: 1 })
    .describe(
      "LISA: share of ReasonSeg's explained pictures that are answered by the explanation alone (0.1 as published); of the " +
        'others half are answered by mask and explanation. Below 0: never explain',
    )
    .optional(),
  together: flag()
    .describe(
      'SELF1E: whether all targets of a picture are asked for in one conversation, with a [SEG] each: more masks in the ' +
        'same time, for a base; not as published',
    )
    .optional(),
  frozenWeights: oneOf(FROZEN_WEIGHTS)
    .describe('How matrices that do not train are held: as float32, or in 16 bits and widened while they are used')
    .default('f32'),
  maxLength: integer({ min: 16 }).describe('Conversations are cut to this many tokens'),
  data: DATA_SCHEMA,
  training: TRAINING_SCHEMA,
}).superRefine(
  alsoCheck(({ stage, frozenWeights }: { stage: Stage; frozenWeights: FrozenWeights }, refuse) => {
    if (frozenWeights === 'f32' || isGrounding(stage)) return;
    refuse('frozenWeights', `"f32" in the stage "${stage}": what it leaves out trains in other stages of the base`);
  }),
);

export type ExperimentFile = Read<typeof EXPERIMENT_SCHEMA>;
