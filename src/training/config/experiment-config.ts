/** A training run as a configuration file says it: which stage, which model, which data, how. */
import { CONVERSATION_STYLES } from '../../data/text/conversation.js';
import { packagedPath } from '../../program.js';
import {
  alsoCheck,
  integer,
  keyPaths,
  number,
  object,
  oneOf,
  type Read,
  readAs,
  text,
  withoutNulls,
} from '../../schema.js';
import { SYSTEM_NAMES } from '../../systems/index.js';
import { PARTIAL_MODEL_SCHEMA } from '../../systems/shared/model-config.js';
import { VARIANT_SCHEMA } from '../../systems/shared/variant-schema.js';
import { type ModelOfRun, readModelOfRun } from '../saving/model-of-run.js';
import { type Stage, STAGES } from '../trainable.js';
import { applyOverrides, readExtended } from './config-overrides.js';
import { DATA_SCHEMA } from './data-config.js';
import { FROZEN_WEIGHTS, type FrozenWeights } from './frozen-weights.js';
import { TRAINING_SCHEMA, type TrainingConfig } from './training-config.js';

/** The file (JSON5, see configs/), all that it extends put together. */
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
  model: PARTIAL_MODEL_SCHEMA.describe('Sizes: all of them, or what differs from the start model').optional(),
  plannedModel: PARTIAL_MODEL_SCHEMA.describe('Sizes to plan with while the folder "start" is absent').optional(),
  start: text().describe('Model folder whose weights are the start; without it weights are random').optional(),
  tokenizer: text().describe("Folder with the tokenizer's files; by default the start model's").optional(),
  conversation: oneOf(CONVERSATION_STYLES).describe("Form of conversation; by default the start model's").optional(),
  variant: VARIANT_SCHEMA.optional(),
  explanationOnly: number({ min: -1, max: 1 })
    .describe(
      "LISA: share of ReasonSeg's explained pictures that are answered by the explanation alone (0.1 as published); of the " +
        'others half are answered by mask and explanation. Below 0: never explain',
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
    if (frozenWeights === 'f32' || stage === 'gsva') return;
    refuse('frozenWeights', `"f32" in the stage "${stage}": what it leaves out trains in other stages of the base`);
  }),
);

export type ExperimentFile = Read<typeof EXPERIMENT_SCHEMA>;

export interface ExperimentConfig
  extends ModelOfRun, Pick<ExperimentFile, 'stage' | 'description' | 'frozenWeights' | 'maxLength' | 'data'> {
  /** LISA's share of explanations without a mask; below 0: none; absent: as published. */
  readonly explanationOnly?: number;
  /** Model folder whose weights are the start; null for random weights. */
  readonly start: string | null;
  readonly training: TrainingConfig;
  /** Whether LLaMA's layers are run again in the backward pass instead of holding what they computed (gsvaStep). */
  readonly recompute: boolean;
}

/** A configuration file, or the content of one. */
export type ConfigSource = string | Readonly<Record<string, unknown>>;

/** The source's name in messages. */
export function sourceName(source: ConfigSource): string {
  return typeof source === 'string' ? source : 'the configuration';
}

/**
 * @param source a file, which may extend another, or its content
 * @param overrides keys to replace, as dotted paths, with their values
 * @param forPlan nothing will be trained: where the start model's folder is absent, the sizes under "plannedModel" do
 * @throws UserError naming file and key
 */
export function readExperimentConfig(
  source: ConfigSource,
  overrides: readonly (readonly [string, unknown])[] = [],
  { forPlan = false }: { readonly forPlan?: boolean } = {},
): ExperimentConfig {
  const path = sourceName(source);
  const json = typeof source === 'string' ? readExtended(source) : structuredClone(source);
  if (overrides.length > 0) applyOverrides(json, overrides, path, keyPaths(EXPERIMENT_SCHEMA));
  const file = readAs(EXPERIMENT_SCHEMA, withoutNulls(json), path);
  const { stage, description, explanationOnly, frozenWeights, maxLength, data } = file;
  const { recompute, ...training } = file.training;
  const start = file.start === undefined ? null : packagedPath(file.start);
  const model = readModelOfRun(file, path, start, forPlan);
  const explained = explanationOnly === undefined ? {} : { explanationOnly };
  return { stage, description, ...model, start, frozenWeights, maxLength, data, training, recompute, ...explained };
}
