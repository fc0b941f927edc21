/** What a plan is made for, read from any file that holds the sizes of a model. */
import { type ModelConfig, parseModelConfig } from '../systems/shared/model-config.js';
import { readJson5 } from '../io/json/json-file.js';
import { type ExperimentConfig, readExperimentConfig } from '../training/config/experiment-config.js';
import type { FrozenWeights } from '../training/config/frozen-weights.js';
import type { Stage } from '../training/trainable.js';
import { readBenchConfig, type Workload } from './bench-config.js';

export interface PlanSource {
  readonly kind: 'training configuration' | 'benchmark' | 'model';
  readonly model: ModelConfig;
  readonly stage: Stage;
  /** Of a training step and of an evaluated image; conversations at their longest. */
  readonly workload: Workload;
  /** How what the stage leaves frozen is held. */
  readonly frozenWeights: FrozenWeights;
  /** Micro-batches whose gradients are added up. */
  readonly accumulation: number;
  /** The training configuration itself, where the file is one. */
  readonly experiment: ExperimentConfig | null;
}

/** What replaces the file's own sizes. */
export interface PlanOverrides {
  readonly batch?: number;
  /** Of a conversation, the image counted as one. */
  readonly tokens?: number;
  readonly masks?: number;
  /** [height, width] of images and masks. */
  readonly image?: readonly [number, number];
  readonly frozenWeights?: FrozenWeights;
}

/** Where a file says nothing: COCO's usual size, and as many masks as the published training draws. */
const DEFAULTS: Workload = { seed: 1, batch: 1, textTokens: 256, masks: 5, height: 480, width: 640, newTokens: 32 };
/** What files that configure no training say of it. */
const PLAIN = { stage: 'gsva', frozenWeights: 'f32', accumulation: 1, experiment: null } as const;

/**
 * Reads a training configuration (it has "stage" or "extends"), a benchmark (it has "workload"), or the config.json of a model.
 * @throws UserError naming file and key
 */
export function readPlanSource(path: string, overrides: PlanOverrides = {}): PlanSource {
  const json = readJson5(path, 'the sizes to plan for');
  const has = (key: string): boolean => typeof json === 'object' && json !== null && Object.hasOwn(json, key);
  const isExperiment = has('stage') || has('extends');
  const source = isExperiment ? ofExperiment(path) : has('workload') ? ofBenchmark(path) : ofModel(json, path);
  const { batch, tokens, masks, image, frozenWeights = source.frozenWeights } = overrides;
  const { workload } = source;
  const [height, width] = image ?? [workload.height, workload.width];
  return {
    ...source,
    frozenWeights,
    workload: {
      ...workload,
      height,
      width,
      batch: batch ?? workload.batch,
      textTokens: tokens ?? workload.textTokens,
      masks: masks ?? workload.masks,
    },
  };
}

function ofExperiment(path: string): PlanSource {
  return planSourceOf(readExperimentConfig(path, [], { forPlan: true }));
}

/** What a training configuration asks for. */
export function planSourceOf(experiment: ExperimentConfig): PlanSource {
  const { model, stage, maxLength, data, training, frozenWeights } = experiment;
  const masks = data.kind === 'scenes' ? data.itemsPerScene : data.expressionsPerSample;
  const workload = { ...DEFAULTS, batch: training.batchSize, textTokens: maxLength, masks };
  const { accumulation } = training;
  return { kind: 'training configuration', model, stage, workload, frozenWeights, accumulation, experiment };
}

function ofBenchmark(path: string): PlanSource {
  const { model, workload } = readBenchConfig(path);
  return { kind: 'benchmark', model, workload, ...PLAIN };
}

function ofModel(json: unknown, path: string): PlanSource {
  const model = parseModelConfig(json, path);
  return { kind: 'model', model, workload: DEFAULTS, ...PLAIN };
}
