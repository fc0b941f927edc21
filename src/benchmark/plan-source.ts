/** Subject of a plan, read from any file that holds the sizes of a model. */
import { type ModelConfig, parseModelConfig, SECTION_NAMES } from '../systems/shared/model-config.js';
import { basename, dirname } from 'node:path';
import { openSystem } from '../systems/index.js';
import { publishedFolder, systemOfSource } from '../systems/published-files.js';
import { publishedForm } from '../systems/published-forms.js';
import { readJson5 } from '../io/json/json-file.js';
import { type ExperimentConfig, readExperimentConfig } from '../training/config/experiment-config.js';
import type { FrozenWeights } from '../training/config/frozen-weights.js';
import type { Stage } from '../training/trainable.js';
import { readBenchConfig, USUAL_WORKLOAD, type Workload } from './bench-config.js';

/** Sizes of a model as its system reads them. */
export interface SystemSizes {
  readonly system: string;
}

/** @typeParam M sizes; those of a training configuration and of a benchmark are of LLaVA and SAM */
export interface PlanSource<M extends SystemSizes = SystemSizes> {
  readonly kind: 'training configuration' | 'benchmark' | 'model';
  readonly model: M;
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

/** A question about one target, as systems ask that have a conversation for each. */
const ALONE_WORKLOAD: Workload = { ...USUAL_WORKLOAD, textTokens: 48, masks: 1 };
/** Training as files say that configure none. */
const PLAIN = { stage: 'gsva', frozenWeights: 'f32', accumulation: 1, experiment: null } as const;

/**
 * Reads a training configuration (it has "stage" or "extends"), a benchmark (it has "workload"), or the config.json of a model.
 * @throws UserError naming file and key
 */
export function readPlanSource(path: string, overrides: PlanOverrides = {}): PlanSource<ModelConfig> {
  return overridden(sourceAt(path), overrides);
}

/**
 * `readPlanSource`, and the config.json of a model of any system, one of a published folder among them.
 * @throws UserError naming file and key
 */
export async function openPlanSource(path: string, overrides: PlanOverrides = {}): Promise<PlanSource> {
  const published = basename(path) === 'config.json' ? publishedFolder(dirname(path)) : null;
  const json =
    published === null
      ? readJson5(path, 'the sizes to plan for')
      : (await publishedForm(systemOfSource(published))).open(published).json;
  if (!isModel(json) || !isOther(json)) return readPlanSource(path, overrides);
  const system = await openSystem(json, path);
  const model = system.config.parse(json, path) as SystemSizes;
  return overridden({ kind: 'model', model, workload: ALONE_WORKLOAD, ...PLAIN }, overrides);
}

function overridden<M extends SystemSizes>(source: PlanSource<M>, overrides: PlanOverrides): PlanSource<M> {
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

function sourceAt(path: string): PlanSource<ModelConfig> {
  const json = readJson5(path, 'the sizes to plan for');
  if (has(json, 'stage') || has(json, 'extends'))
    return planSourceOf(readExperimentConfig(path, [], { forPlan: true }));
  if (!has(json, 'workload'))
    return { kind: 'model', model: parseModelConfig(json, path), workload: USUAL_WORKLOAD, ...PLAIN };
  const { model, workload } = readBenchConfig(path);
  return { kind: 'benchmark', model, workload, ...PLAIN };
}

/** A training configuration as the source of a plan. */
export function planSourceOf(experiment: ExperimentConfig): PlanSource<ModelConfig> {
  const { stage, maxLength, data, training, frozenWeights } = experiment;
  const masks = data.kind === 'scenes' ? data.itemsPerScene : data.expressionsPerSample;
  const workload = { ...USUAL_WORKLOAD, batch: training.batchSize, textTokens: maxLength, masks };
  const { accumulation } = training;
  return {
    kind: 'training configuration',
    model: experiment.model as ModelConfig,
    stage,
    workload,
    frozenWeights,
    accumulation,
    experiment,
  };
}

function has(json: unknown, key: string): boolean {
  return typeof json === 'object' && json !== null && Object.hasOwn(json, key);
}

function isModel(json: unknown): json is object {
  return has(json, 'system') && !['stage', 'extends', 'workload'].some((key) => has(json, key));
}

/** Whether a model has other sections than those of LLaVA and SAM. */
function isOther(json: object): boolean {
  return !SECTION_NAMES.every((section) => has(json, section));
}
