/**
 * A training run as a configuration file says it (JSON5, see configs/): which stage, which model, which data, how.
 * Reading is strict: unknown keys are refused, and every value is checked where it stands.
 */
import { JsonReader } from '../../io/json/json-reader.js';
import { packagedPath } from '../../program.js';
import { applyOverrides } from './config-overrides.js';
import { readExtended } from './extended-config.js';
import { type ModelOfRun, readModelOfRun } from '../saving/model-of-run.js';
import { FLAT_WINDOW, WATCH_EVERY } from '../watching/learning-watch.js';
import type { AdamWOptions } from '../optimizer/optimizer.js';
import { readScheduleConfig, type TrainingConfig } from '../loop/run-length.js';
import { readGenerateImages, readSetsData, type SetsData } from './sets-config.js';
import { FROZEN_WEIGHTS, type FrozenWeights } from './frozen-weights.js';
import { type Stage, STAGES } from '../trainable.js';

/** gRefCOCO in its published layout. */
export interface ReferData {
  readonly kind: 'grefcoco';
  readonly dir: string;
  /** At most so many expressions of an image in one conversation. */
  readonly expressionsPerSample: number;
  /** Images of `val` used for validation while training. */
  readonly validationImages: number;
  /** So many of them are answered freely too (see evaluation/answer-rates.ts); 0 for none. */
  readonly generateImages: number;
}

/** A user's own data, as JSON lines (docs/your-data.md). */
export interface JsonlData {
  readonly kind: 'jsonl';
  readonly file: string;
  /** Another file to validate on; null for the lines of `file` with the split val. */
  readonly valFile: string | null;
  readonly expressionsPerSample: number;
  readonly validationImages: number;
  readonly generateImages: number;
}

/** Scenes of the embedded benchmark's `base` split, rendered as they are needed. */
export interface SceneData {
  readonly kind: 'scenes';
  readonly seed: number;
  readonly scenes: number;
  /** Questions (language) or prompts (masks) drawn for a scene. */
  readonly itemsPerScene: number;
  readonly validationScenes: number;
  /** Grounding: lists in words of its own ('scene'), or mostly in the forms that GSVA is trained with ('trained'). */
  readonly forms: GroundingForms;
}

export const GROUNDING_FORMS = ['scene', 'trained'] as const;
export type GroundingForms = (typeof GROUNDING_FORMS)[number];

export interface ExperimentConfig extends ModelOfRun {
  readonly stage: Stage;
  readonly description: string;
  /** Model folder whose weights are the start; null for random weights. */
  readonly start: string | null;
  /** How matrices that do not train are held: as float32, or in 16 bits and widened while they are computed with. */
  readonly frozenWeights: FrozenWeights;
  /** Conversations are cut to so many tokens. */
  readonly maxLength: number;
  readonly data: ReferData | JsonlData | SetsData | SceneData;
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
 * @param forPlan nothing will be trained: where the start model's folder is not there, the sizes under "plannedModel" do
 * @throws UserError naming file and key
 */
export function readExperimentConfig(
  source: ConfigSource,
  overrides: readonly (readonly [string, unknown])[] = [],
  { forPlan = false }: { readonly forPlan?: boolean } = {},
): ExperimentConfig {
  const path = sourceName(source);
  const json = typeof source === 'string' ? readExtended(source) : structuredClone(source);
  applyOverrides(json, overrides, path);
  const root = JsonReader.of(json, path);
  root.onlyKeys([
    'stage',
    'description',
    'knows',
    'model',
    'plannedModel',
    'start',
    'tokenizer',
    'conversation',
    'variant',
    'frozenWeights',
    'maxLength',
    'data',
    'training',
  ]);
  const named = root.optional('start')?.string() ?? null;
  const start = named === null ? null : packagedPath(named);
  const stage = root.key('stage').oneOf(STAGES);
  return {
    stage,
    description: root.key('description').string(),
    ...readModelOfRun(root, path, start, forPlan),
    start,
    frozenWeights: readFrozenWeights(root.optional('frozenWeights'), stage),
    maxLength: root.key('maxLength').integer({ min: 16 }),
    data: readData(root.key('data')),
    training: readTraining(root.key('training')),
    recompute: root.key('training').optional('recompute')?.boolean() ?? true,
  };
}

/** What a stage of the base leaves out trains in another, and must not be rounded in between. */
function readFrozenWeights(key: JsonReader | null, stage: Stage): FrozenWeights {
  const value = key?.oneOf(FROZEN_WEIGHTS) ?? 'f32';
  if (key === null || value === 'f32' || stage === 'gsva') return value;
  return key.fail(`"f32" in the stage "${stage}": what it leaves out trains in other stages of the base`);
}

function readData(data: JsonReader): ExperimentConfig['data'] {
  const kind = data.key('kind').oneOf(['grefcoco', 'jsonl', 'epochs', 'mixture', 'scenes'] as const);
  if (kind === 'epochs' || kind === 'mixture') return readSetsData(data, kind);
  if (kind === 'jsonl') {
    data.onlyKeys(['kind', 'file', 'valFile', 'expressionsPerSample', 'validationImages', 'generateImages']);
    return {
      kind,
      file: data.key('file').string(),
      valFile: data.optional('valFile')?.string() ?? null,
      expressionsPerSample: data.key('expressionsPerSample').integer({ min: 1 }),
      validationImages: data.key('validationImages').integer({ min: 1 }),
      generateImages: readGenerateImages(data),
    };
  }
  if (kind === 'grefcoco') {
    data.onlyKeys(['kind', 'dir', 'expressionsPerSample', 'validationImages', 'generateImages']);
    return {
      kind,
      dir: data.key('dir').string(),
      expressionsPerSample: data.key('expressionsPerSample').integer({ min: 1 }),
      validationImages: data.key('validationImages').integer({ min: 1 }),
      generateImages: readGenerateImages(data),
    };
  }
  data.onlyKeys(['kind', 'seed', 'scenes', 'itemsPerScene', 'validationScenes', 'forms']);
  return {
    kind,
    seed: data.key('seed').integer({ min: 0 }),
    scenes: data.key('scenes').integer({ min: 1 }),
    itemsPerScene: data.key('itemsPerScene').integer({ min: 1 }),
    validationScenes: data.key('validationScenes').integer({ min: 1 }),
    forms: data.optional('forms')?.oneOf(GROUNDING_FORMS) ?? 'scene',
  };
}

function readTraining(training: JsonReader): TrainingConfig {
  training.onlyKeys([
    'seed',
    'batchSize',
    'accumulation',
    'prefetch',
    'validateEvery',
    'checkpointEvery',
    'keepCheckpoints',
    'bestMetric',
    'watchEvery',
    'flatWindow',
    'optimizer',
    'schedule',
    'recompute',
  ]);
  const keep = training.optional('keepCheckpoints');
  const best = training.optional('bestMetric');
  best?.onlyKeys(['name', 'mode']);
  return {
    seed: training.key('seed').integer({ min: 0 }),
    batchSize: training.key('batchSize').integer({ min: 1 }),
    accumulation: training.key('accumulation').integer({ min: 1 }),
    prefetch: training.key('prefetch').integer({ min: 1 }),
    validateEvery: training.key('validateEvery').integer({ min: 0 }),
    checkpointEvery: training.key('checkpointEvery').integer({ min: 0 }),
    ...(keep === null ? {} : { keepCheckpoints: keep.integer({ min: 0 }) }),
    ...(best === null
      ? {}
      : { bestMetric: { name: best.key('name').string(), mode: best.key('mode').oneOf(['max', 'min'] as const) } }),
    watchEvery: training.optional('watchEvery')?.integer({ min: 0 }) ?? WATCH_EVERY,
    flatWindow: training.optional('flatWindow')?.integer({ min: 0 }) ?? FLAT_WINDOW,
    optimizer: readOptimizer(training.key('optimizer')),
    schedule: readScheduleConfig(training.key('schedule')),
  };
}

function readOptimizer(optimizer: JsonReader): AdamWOptions {
  optimizer.onlyKeys(['beta1', 'beta2', 'eps', 'weightDecay', 'clipNorm', 'learningRateMultipliers']);
  const multipliers = optimizer.optional('learningRateMultipliers');
  return {
    beta1: optimizer.key('beta1').number({ min: 0, max: 1 }),
    beta2: optimizer.key('beta2').number({ min: 0, max: 1 }),
    eps: optimizer.key('eps').number({ min: 0 }),
    weightDecay: optimizer.key('weightDecay').number({ min: 0 }),
    clipNorm: optimizer.optional('clipNorm')?.number({ min: 0 }) ?? null,
    ...(multipliers === null
      ? {}
      : {
          learningRateMultipliers: Object.fromEntries(
            multipliers.entries().map(([key, value]) => [key, value.number({ min: 0 })]),
          ),
        }),
  };
}
