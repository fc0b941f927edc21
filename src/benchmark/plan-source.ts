/** Subject of a plan, read from any file that holds the sizes of a model. */
import { basename, dirname } from 'node:path';
import { configForm, type ModelSizes } from '../systems/model-configs.js';
import { publishedFolder, systemOfSource } from '../systems/published-files.js';
import { publishedForm } from '../systems/published-forms.js';
import { readJson5 } from '../io/json/json-file.js';
import { type ExperimentConfig, readExperimentConfig } from '../training/config/experiment-config.js';
import type { FrozenWeights } from '../training/config/frozen-weights.js';
import type { Stage } from '../training/trainable.js';
import { readBenchConfig, USUAL_WORKLOAD, type Workload } from './bench-config.js';

export interface PlanSource {
  readonly kind: 'training configuration' | 'benchmark' | 'model';
  readonly model: ModelSizes;
  readonly stage: Stage;
  /** Workload of a training step and of an evaluated image; conversations at their longest. */
  readonly workload: Workload;
  /** A question about one target. */
  readonly question: Workload;
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

/** A question about one target and its answer. */
export const ONE_QUESTION: Workload = { ...USUAL_WORKLOAD, textTokens: 48, masks: 1 };
/** Training as files say that configure none. */
const PLAIN = {
  question: ONE_QUESTION,
  stage: 'grounding',
  frozenWeights: 'f32',
  accumulation: 1,
  experiment: null,
} as const;

/**
 * Reads a training configuration (it has "stage" or "extends"), a benchmark (it has "workload"), or the config.json of a model.
 * @throws UserError naming file and key
 */
export function readPlanSource(path: string, overrides: PlanOverrides = {}): PlanSource {
  return overridden(sourceAt(path, readJson5(path, 'the sizes to plan for')), overrides);
}

/** `readPlanSource`, and the config.json of a published folder. @throws UserError naming file and key */
export async function openPlanSource(path: string, overrides: PlanOverrides = {}): Promise<PlanSource> {
  const published = basename(path) === 'config.json' ? publishedFolder(dirname(path)) : null;
  if (published === null) return readPlanSource(path, overrides);
  return overridden(sourceAt(path, (await publishedForm(systemOfSource(published))).open(published).json), overrides);
}

function overridden(source: PlanSource, overrides: PlanOverrides): PlanSource {
  const { batch, tokens, masks, image, frozenWeights = source.frozenWeights } = overrides;
  const { workload, question } = source;
  const [height, width] = image ?? [workload.height, workload.width];
  const textTokens = tokens ?? workload.textTokens;
  return {
    ...source,
    frozenWeights,
    workload: {
      ...workload,
      height,
      width,
      textTokens,
      batch: batch ?? workload.batch,
      masks: masks ?? workload.masks,
    },
    question: { ...question, height, width, textTokens: tokens ?? question.textTokens },
  };
}

function sourceAt(path: string, json: unknown): PlanSource {
  if (has(json, 'stage') || has(json, 'extends'))
    return planSourceOf(readExperimentConfig(path, [], { forPlan: true }));
  if (has(json, 'workload')) {
    const { model, workload } = readBenchConfig(path);
    return { kind: 'benchmark', model, workload, ...PLAIN };
  }
  const { system } = (has(json, 'system') ? json : {}) as { readonly system?: string };
  return { kind: 'model', model: configForm(system, path).parse(json, path), workload: USUAL_WORKLOAD, ...PLAIN };
}

/** A training configuration as the source of a plan. */
export function planSourceOf(experiment: ExperimentConfig): PlanSource {
  const { stage, maxLength, data, training, frozenWeights, model } = experiment;
  const masks = data.kind === 'scenes' ? data.itemsPerScene : data.expressionsPerSample;
  const workload = { ...USUAL_WORKLOAD, batch: training.batchSize, textTokens: maxLength, masks };
  const { accumulation } = training;
  const kind = 'training configuration';
  return { kind, model, stage, workload, question: ONE_QUESTION, frozenWeights, accumulation, experiment };
}

function has(json: unknown, key: string): boolean {
  return typeof json === 'object' && json !== null && Object.hasOwn(json, key);
}
