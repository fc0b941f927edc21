/**
 * A training run as a configuration file says it (JSON5, see configs/): which stage, which model, which data, how.
 * Reading is strict: unknown keys are refused, and every value is checked where it stands.
 */
import { join } from 'node:path';
import { type ModelConfig, parseModelConfig } from '../config.js';
import { CONVERSATION_STYLES, type ConversationStyle } from '../data/text/conversation.js';
import { JsonReader } from '../io/json-reader.js';
import { openModelDirectory } from '../model/checkpoint-directory.js';
import { readVariant } from '../model/read-variant.js';
import { GSVA_VARIANT, type Variant } from '../variant.js';
import { readExtended } from './extended-config.js';
import type { AdamWOptions } from './optimizer.js';
import type { ScheduleOptions } from './schedule.js';
import { readSetsData, type SetsData } from './sets-config.js';
import { FROZEN_WEIGHTS, type FrozenWeights } from './frozen-weights.js';
import { type Stage, STAGES } from './trainable.js';
import type { TrainerOptions } from './trainer-options.js';

/** gRefCOCO in its published layout. */
export interface ReferData {
  readonly kind: 'grefcoco';
  readonly dir: string;
  /** At most so many expressions of an image in one conversation. */
  readonly expressionsPerSample: number;
  /** Images of `val` used for validation while training. */
  readonly validationImages: number;
}

/** A user's own data, as JSON lines (docs/your-data.md). */
export interface JsonlData {
  readonly kind: 'jsonl';
  readonly file: string;
  /** Another file to validate on; null for the lines of `file` with the split val. */
  readonly valFile: string | null;
  readonly expressionsPerSample: number;
  readonly validationImages: number;
}

/** Scenes of the embedded benchmark's `base` split, rendered as they are needed. */
export interface SceneData {
  readonly kind: 'scenes';
  readonly seed: number;
  readonly scenes: number;
  /** Questions (language) or prompts (masks) drawn for a scene. */
  readonly itemsPerScene: number;
  readonly validationScenes: number;
}

export interface ExperimentConfig {
  readonly stage: Stage;
  readonly description: string;
  readonly model: ModelConfig;
  /** Model folder whose weights are the start; null for random weights. */
  readonly start: string | null;
  /** Folder with the tokenizer's files. */
  readonly tokenizer: string;
  readonly conversation: ConversationStyle;
  /** What answers are made of; as published unless the configuration or the start model say otherwise. */
  readonly variant: Variant;
  /** How matrices that do not train are held: as float32, or in 16 bits and widened while they are computed with. */
  readonly frozenWeights: FrozenWeights;
  /** Conversations are cut to so many tokens. */
  readonly maxLength: number;
  readonly data: ReferData | JsonlData | SetsData | SceneData;
  readonly training: TrainerOptions;
}

/**
 * @param path a file, which may extend another
 * @param overrides keys to replace, as dotted paths, with their values as JSON5 (a word that is not JSON5 is a string)
 * @throws UserError naming file and key
 */
export function readExperimentConfig(
  path: string,
  overrides: readonly (readonly [string, unknown])[] = [],
): ExperimentConfig {
  const json = readExtended(path);
  for (const [key, value] of overrides) replace(JsonReader.of(json, path), key.split('.'), value);
  const root = JsonReader.of(json, path);
  root.onlyKeys([
    'stage',
    'description',
    'model',
    'start',
    'tokenizer',
    'conversation',
    'variant',
    'frozenWeights',
    'maxLength',
    'data',
    'training',
  ]);
  const start = root.optional('start')?.string() ?? null;
  const stage = root.key('stage').oneOf(STAGES);
  return {
    stage,
    description: root.key('description').string(),
    ...readModel(root, path, start),
    start,
    frozenWeights: readFrozenWeights(root.optional('frozenWeights'), stage),
    maxLength: root.key('maxLength').integer({ min: 16 }),
    data: readData(root.key('data')),
    training: readTraining(root.key('training')),
  };
}

/** Sizes, tokenizer, conversation and variant; what the configuration does not say is as in the start model's folder. */
function readModel(
  root: JsonReader,
  path: string,
  start: string | null,
): Pick<ExperimentConfig, 'model' | 'tokenizer' | 'conversation' | 'variant'> {
  const written = {
    model: () => parseModelConfig(root.key('model').value, `${path}: model`),
    tokenizer: () => root.key('tokenizer').string(),
    conversation: () => root.key('conversation').oneOf(CONVERSATION_STYLES),
  };
  const variant = root.optional('variant');
  const isMissing = (key: keyof typeof written): boolean => root.optional(key) === null;
  const missing = (['model', 'tokenizer', 'conversation'] as const).filter(isMissing);
  if (start === null || missing.length === 0) {
    return {
      model: written.model(),
      tokenizer: written.tokenizer(),
      conversation: written.conversation(),
      variant: readVariant(variant),
    };
  }
  const { config, meta } = openModelDirectory(start);
  const style = JsonReader.of(meta, join(start, 'meta.json')).key('conversation');
  return {
    model: isMissing('model') ? config : written.model(),
    tokenizer: isMissing('tokenizer') ? start : written.tokenizer(),
    conversation: isMissing('conversation') ? style.oneOf(CONVERSATION_STYLES) : written.conversation(),
    variant: variant === null ? (meta.variant ?? GSVA_VARIANT) : readVariant(variant),
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
    data.onlyKeys(['kind', 'file', 'valFile', 'expressionsPerSample', 'validationImages']);
    return {
      kind,
      file: data.key('file').string(),
      valFile: data.optional('valFile')?.string() ?? null,
      expressionsPerSample: data.key('expressionsPerSample').integer({ min: 1 }),
      validationImages: data.key('validationImages').integer({ min: 1 }),
    };
  }
  if (kind === 'grefcoco') {
    data.onlyKeys(['kind', 'dir', 'expressionsPerSample', 'validationImages']);
    return {
      kind,
      dir: data.key('dir').string(),
      expressionsPerSample: data.key('expressionsPerSample').integer({ min: 1 }),
      validationImages: data.key('validationImages').integer({ min: 1 }),
    };
  }
  data.onlyKeys(['kind', 'seed', 'scenes', 'itemsPerScene', 'validationScenes']);
  return {
    kind,
    seed: data.key('seed').integer({ min: 0 }),
    scenes: data.key('scenes').integer({ min: 1 }),
    itemsPerScene: data.key('itemsPerScene').integer({ min: 1 }),
    validationScenes: data.key('validationScenes').integer({ min: 1 }),
  };
}

function readTraining(training: JsonReader): TrainerOptions {
  training.onlyKeys([
    'seed',
    'batchSize',
    'accumulation',
    'prefetch',
    'validateEvery',
    'checkpointEvery',
    'bestMetric',
    'optimizer',
    'schedule',
  ]);
  const best = training.optional('bestMetric');
  best?.onlyKeys(['name', 'mode']);
  return {
    seed: training.key('seed').integer({ min: 0 }),
    batchSize: training.key('batchSize').integer({ min: 1 }),
    accumulation: training.key('accumulation').integer({ min: 1 }),
    prefetch: training.key('prefetch').integer({ min: 1 }),
    validateEvery: training.key('validateEvery').integer({ min: 0 }),
    checkpointEvery: training.key('checkpointEvery').integer({ min: 0 }),
    ...(best === null
      ? {}
      : { bestMetric: { name: best.key('name').string(), mode: best.key('mode').oneOf(['max', 'min'] as const) } }),
    optimizer: readOptimizer(training.key('optimizer')),
    schedule: readSchedule(training.key('schedule')),
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

function readSchedule(schedule: JsonReader): ScheduleOptions {
  schedule.onlyKeys(['learningRate', 'warmupUpdates', 'totalUpdates', 'decay', 'maxMinutes']);
  const minutes = schedule.optional('maxMinutes');
  return {
    learningRate: schedule.key('learningRate').number({ min: 0 }),
    warmupUpdates: schedule.key('warmupUpdates').integer({ min: 0 }),
    totalUpdates: schedule.key('totalUpdates').integer({ min: 1 }),
    decay: schedule.key('decay').oneOf(['linear', 'cosine'] as const),
    ...(minutes === null ? {} : { maxMinutes: minutes.number({ min: 0 }) }),
  };
}

function replace(place: JsonReader, keys: readonly string[], value: unknown): void {
  const [first, ...rest] = keys;
  if (first === undefined) return;
  if (rest.length > 0) {
    replace(place.key(first), rest, value);
    return;
  }
  place.object()[first] = value;
}
