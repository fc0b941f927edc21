/** Subject of a plan, read from any file that holds the sizes of a model. */
import { type ModelConfig, parseModelConfig } from '../systems/shared/model-config.js';
import { readJson5 } from '../io/json/json-file.js';
import { type ExperimentConfig, readExperimentConfig } from '../training/config/experiment-config.js';
import type { FrozenWeights } from '../training/config/frozen-weights.js';
import type { Stage } from '../training/trainable.js';
import { readBenchConfig, USUAL_WORKLOAD, type Workload } from './bench-config.js';

export interface PlanSource {
  readonly kind: 'training configuration' | 'benchmark' | 'model';
  readonly model: ModelConfig;
  readonly stage: Stage;
  /** Workload of a training step and of an evaluated image; conversations at their longest. */
  readonly workload: Workload;
  /** How what the stage leaves frozen is held. */
  readonly frozenWeights: FrozenWeights;
  /** Micro-batches whose gradients are added up. */
  readonly accumulation: number;
  /** The training configuration itself, where the file is one. */
  readonly experiment: ExperimentConfig | null;
}

/** Sizes in place of the file's own. */
export interface PlanOverrides {
  readonly batch?: number;
  /** Tokens of a conversation, the image counted as one. */
  readonly tokens?: number;
  readonly masks?: number;
  /** [height, width] of images and masks. */
  readonly image?: readonly [number, number];
  readonly frozenWeights?: FrozenWeights;
}

/** Training as files say that configure none. */
const PLAIN = { stage: 'gsva', frozenWeights: 'f32', accumulation: 1, experiment: null } as const;

/**
 * Reads a training configuration (it has "stage" or "extends"), a benchmark (it has "workload"), or the config.json of a model.
 * @throws UserError naming file and key
 */
export function readPlanSource(path: string, overrides: PlanOverrides = {}): PlanSource {
  const source = sourceAt(path);
  const { batch, tokens, masks, image, frozenWeights = source.frozenWeights } = overrides;
  const { workload } = source;
  const [height, width] = image ?? [workload.height, workload.width];
  const sizes = { batch: batch ?? workload.batch, textTokens: tokens ?? workload.textTokens };
  return {
    ...source,
    frozenWeights,
    workload: { ...workload, height, width, ...sizes, masks: masks ?? workload.masks },
  };
}

function sourceAt(path: string): PlanSource {
  const json = readJson5(path, 'the sizes to plan for');
  const has = (key: string): boolean => typeof json === 'object' && json !== null && Object.hasOwn(json, key);
  if (has('stage') || has('extends')) return planSourceOf(readExperimentConfig(path, [], { forPlan: true }));
  if (!has('workload'))
    return { kind: 'model', model: parseModelConfig(json, path), workload: USUAL_WORKLOAD, ...PLAIN };
  const { model, workload } = readBenchConfig(path);
  return { kind: 'benchmark', model, workload, ...PLAIN };
}

/** A training configuration as the source of a plan. */
export function planSourceOf(experiment: ExperimentConfig): PlanSource {
  const { stage, maxLength, data, training, frozenWeights } = experiment;
  const masks = data.kind === 'scenes' ? data.itemsPerScene : data.expressionsPerSample;
  const workload = { ...USUAL_WORKLOAD, batch: training.batchSize, textTokens: maxLength, masks };
  const { accumulation } = training;
  return { kind: 'training configuration', model: experiment.model as ModelConfig, stage, workload, frozenWeights, accumulation, experiment };
}
