/** From a configuration to something that can be trained: model with its start weights, tokenizer, task. */
import type { Tokenizer } from '../../data/text/tokenizer.js';
import { startDryRun } from '../../engine/dry-run.js';
import * as tf from '../../engine/tf.js';
import { UserError } from '../../errors.js';
import {
  checkTokenizer,
  loadModelWeights,
  modelDirectoryFiles,
  type ModelMeta,
  openModelDirectory,
  withWeights,
} from '../../checkpoints/checkpoint-directory.js';
import { openCheckpoint, weightsOf } from '../../io/checkpoint-files.js';
import { systemNamed } from '../../systems/index.js';
import { sizesOfFolder } from '../../systems/model-configs.js';
import { LlavaSam } from '../../systems/shared/llava-sam.js';
import type { GroundingModel, System } from '../../systems/system.js';
import { checkWeights, type LoadOptions } from '../../checkpoints/weights.js';
import { EMBEDDING_DEVIATION } from '../../nn/layers.js';
import { configOf } from '../../systems/shared/model-config.js';
import { patternsOf, startsRandom, variablesOf } from '../../checkpoints/parts.js';
import { Random } from '../../random.js';
import { startVocabulary } from './experiment-data.js';
import { IMAGE_END_TOKEN, IMAGE_START_TOKEN } from '../../special-tokens.js';
import { isPublished } from '../../systems/shared/variant.js';
import { holdFrozenWeights, scalePacked } from './frozen-weights.js';
import type { FeatureStore } from '../../features/feature-store.js';
import { BaseCaptionTask } from '../base/base-caption-task.js';
import { BaseClipTask, type SeeingModel } from '../base/base-clip-task.js';
import { BaseDistillTask } from '../base/base-distill-task.js';
import { BaseGroundingTask } from '../base/base-grounding-task.js';
import { BaseSamTask } from '../base/base-sam-task.js';
import type { SceneData } from './data-config.js';
import type { ExperimentConfig } from './experiment-config.js';
import { type GroundingData, GroundingTask } from '../grounding-task.js';
import { ScenePool } from '../base/base-task.js';
import type { TrainingTask } from '../loop/training-task.js';
import { isGrounding, trainsIn, trainsOnSets } from '../trainable.js';

export interface Experiment {
  readonly system: System;
  readonly config: ExperimentConfig;
  readonly network: GroundingModel;
  readonly tokenizer: Tokenizer;
  readonly meta: ModelMeta;
  /** Frozen weights that the start model has in more than 16 bits, and this run in 16: rounded to BF16. */
  readonly rounded: readonly string[];
}

/** Figures on the validation set; given by the caller, since evaluation is not training's business. */
export type Validate = (signal?: AbortSignal) => Promise<Readonly<Record<string, number>>>;

/** Weights with a row for every token. */
const VOCABULARY = /^(?:language_model\.)?(model\.embed_tokens|lm_head)\.weight$/;

/**
 * Builds the model and sets its start weights. With a start model, LoRA and ψ may be missing there; a GSVA run redraws
 * the rows of the decision tokens, as the reference does when it adds them to the vocabulary, unless the start model
 * has learned them already.
 * @param source the configuration's file, for errors
 */
export async function buildExperiment(written: ExperimentConfig, source: string): Promise<Experiment> {
  const system = await systemNamed(written.model.system, source);
  const { config, tokenizer } = withTokenizer(system, written, source);
  const { stage, description, conversation, variant, start } = config;
  checkStage(system, stage, source);
  const network = system.build(config.model);
  let rounded: readonly string[] = [];
  try {
    holdFrozenWeights(network, stage, config.frozenWeights);
    network.build();
    const random = new Random(config.training.seed);
    network.randomize(random);
    if (start === null) balanceResiduals(network, config);
    if (start !== null)
      ({ rounded } = loadAround(network, config.drawn, source, () => {
        return loadModelWeights(start, network, startOptions(network, stage));
      }));
    const isDrawn = system.startsTokens !== 'given';
    if (start !== null && isGrounding(stage) && isDrawn && isBase(start))
      redrawTokens(network, newIds(system, config, start), random);
  } catch (error) {
    network.dispose();
    throw error;
  }
  const knows = config.knows ?? inheritedKnows(config);
  const meta = { conversation, stage, description, ...(knows === null ? {} : { knows }) };
  return { system, config, network, tokenizer, rounded, meta: isPublished(variant) ? meta : { ...meta, variant } };
}

/**
 * Holds the start model against the model of the configuration, tensor by tensor, without the memory of either. Changes
 * TensorFlow.js's backend, as every dry run does.
 * @throws UserError that names the tensor that is missing, left over or of another shape
 */
export async function checkStart(written: ExperimentConfig, source: string): Promise<void> {
  const system = await systemNamed(written.model.system, source);
  const { start, stage, model, frozenWeights } = withTokenizer(system, written, source).config;
  checkStage(system, stage, source);
  if (start === null) return;
  await startDryRun('fused');
  const network = system.build(model);
  try {
    holdFrozenWeights(network, stage, frozenWeights);
    network.build();
    const path = weightsOf(start);
    checkWeights(network, openCheckpoint(path).tensors, path, startOptions(network, stage));
  } finally {
    network.dispose();
  }
}

/** Whether features of a stage's images can be kept: it draws none, and trains none of the encoders. */
export function keepsFeatures({ recipe }: System, stage: ExperimentConfig['stage']): boolean {
  return trainsOnSets(stage) && recipe.trainsEncoders !== true;
}

/** @throws UserError for a stage that trains encoders by a recipe that never does */
function checkStage(system: System, stage: ExperimentConfig['stage'], source: string): void {
  if (stage !== 'base-whole' || system.recipe.trainsEncoders === true) return;
  throw new UserError(
    `${source}: the stage "base-whole" trains all parts by the system's recipe, but that of "${system.name}" keeps ` +
      'its encoders frozen. Its base is trained as a whole by "base-joint".',
  );
}

/** Loads weights, but for some parts, whose values stay. @throws UserError for a name that no part has */
function loadAround<T>(network: GroundingModel, drawn: readonly string[], source: string, load: () => T): T {
  const known = [...new Set(network.parts.map(({ name }) => name))];
  const unknown = drawn.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UserError(`${source}: "drawn" names the part ${JSON.stringify(unknown)}; known are ${known.join(', ')}.`);
  }
  const kept = [...variablesOf(network, drawn).values()].map((variable) => ({ variable, value: tf.clone(variable) }));
  try {
    const report = load();
    for (const { variable, value } of kept) variable.assign(value);
    return report;
  } finally {
    tf.dispose(kept.map(({ value }) => value));
  }
}

/** Parts that a start model may lack, or have too many of. */
function startOptions({ parts }: GroundingModel, stage: ExperimentConfig['stage']): LoadOptions {
  const mayBeMissing = startsRandom(parts);
  const options = { mayBeMissing, mayGrow: VOCABULARY, roundPacked: true };
  // A smaller F_V2 leaves layers out.
  return stage === 'base-distill' ? { ...options, mayBeUnused: patternsOf(parts, 'image_encoder') } : options;
}

/** @throws UserError where the tokenizer and the model mean different things by an id */
function withTokenizer(system: System, written: ExperimentConfig, source: string): ReturnType<typeof startVocabulary> {
  const start = startVocabulary(system, written);
  checkTokenizer(start.tokenizer, system.vocabulary(start.config.model, written), `of ${source}`);
  return start;
}

/** The start model's, but for a run on one's own pictures: what these add, only its configuration can say. */
function inheritedKnows({ start, data }: ExperimentConfig): string | null {
  return start === null || data.kind === 'jsonl' ? null : (openModelDirectory(start).meta.knows ?? null);
}

/** Whether a model has yet to learn what [SEG] and [REJ] are: 'base', or one of its stages. */
function isBase(dir: string): boolean {
  return openModelDirectory(dir).meta.stage.startsWith('base');
}

/**
 * GSVA's recipe on data sets.
 * @param validate null where the run never validates
 * @param features of the images of `data` by the same encoders, from other runs
 */
export function groundingTask(
  experiment: Experiment,
  data: GroundingData,
  validate: Validate | null,
  features: FeatureStore | null = null,
): GroundingTask {
  const { system, config, network, tokenizer, meta } = experiment;
  const dialogue = system.dialogue(config.model, config);
  const { conversation, maxLength, recompute, stage } = config;
  return new GroundingTask({
    ...{ system, model: network, tokenizer, tokenizerDir: config.tokenizer, meta },
    ...{ data, conversation, maxLength, recompute, trains: trainsIn(stage, network) },
    vocabulary: system.vocabulary(config.model, config),
    lessons: (facts, random) => dialogue.lessons(facts, random),
    ...(features === null ? {} : { features }),
    ...(validate === null ? {} : { validate }),
  });
}

/** The task of one of the base's stages; what its samples are is its own business. */
export function baseTask(experiment: Experiment, data: SceneData): TrainingTask<unknown> {
  const { system, config, network, tokenizer, meta } = experiment;
  const { stage, tokenizer: tokenizerDir, conversation, maxLength } = config;
  const { scenes, validationScenes, itemsPerScene, forms } = data;
  const common = {
    ...{ pool: new ScenePool(data.seed), scenes, validationScenes },
    save: () => modelDirectoryFiles(network, { config: system.config.toJson(network.config), meta, tokenizerDir }),
    load: (dir: string): Promise<void> => {
      loadModelWeights(dir, network);
      return Promise.resolve();
    },
  };
  if (stage === 'base-clip' && isSeeing(network)) {
    // The encoder that a conversation in words cannot do without.
    const [encoder] = Object.entries(system.pictures(config.model)).filter(([, input]) => input.neededFor === 'text');
    if (encoder === undefined) throw new Error('baseTask: no encoder is needed for words');
    const [name, input] = encoder;
    return new BaseClipTask({ ...common, gsva: network, tokenizer, encoder: { name, input } });
  }
  if (!(network instanceof LlavaSam)) {
    throw new UserError(`The stage "${stage}" makes a base of LLaVA and SAM, which "${system.name}" does not have.`);
  }
  const shared = { ...common, gsva: network };
  if (stage === 'base-distill') {
    if (config.start === null) throw new UserError('Distilling F_V2: "start" names no model to learn from.');
    const start = openModelDirectory(config.start);
    const teacher = withWeights(new LlavaSam(configOf(start)), start.tensors, start.weightsPath);
    return new BaseDistillTask({ ...shared, teacher });
  }
  if (stage === 'base-sam') return new BaseSamTask({ ...shared, promptsPerScene: itemsPerScene });
  const text = { ...shared, tokenizer, conversation, maxLength };
  if (stage === 'base-caption') return new BaseCaptionTask(text);
  if (stage === 'base-clip' || trainsOnSets(stage)) {
    throw new Error(`baseTask: the stage ${stage} does not train on scenes`);
  }
  const dialogue = system.dialogue(config.model, config);
  const words = { decisionIds: decisionIds(system, config), lessons: dialogue.lessons.bind(dialogue) };
  return new BaseGroundingTask({ ...text, ...words, stage, itemsPerScene, forms });
}

function isSeeing(network: GroundingModel): network is SeeingModel {
  return 'visionTokens' in network && 'wordEmbeddings' in network;
}

/**
 * Start scales for training from scratch, as small transformers are usually given: embeddings of unit size, and residual
 * branches that together add about as much. LLaMA's N(0, 0.02) embeddings would be small next to the first layers'
 * outputs at this width.
 */
function balanceResiduals(network: GroundingModel, { model }: ExperimentConfig): void {
  const branch = 1 / Math.sqrt(2 * model.llm.numHiddenLayers);
  const scaleOf = (name: string): number => {
    const isBranch = /^(?:language_model\.)?model\.layers\.\d+\.(self_attn\.o_proj|mlp\.down_proj)\.weight$/.test(name);
    return /^(?:language_model\.)?model\.embed_tokens\.weight$/.test(name)
      ? 1 / EMBEDDING_DEVIATION
      : isBranch
        ? branch
        : 1;
  };
  for (const [name, { variable }] of network.namedParameters()) {
    const scale = scaleOf(name);
    if (scale === 1) continue;
    tf.tidy(() => {
      variable.write(tf.mul(variable.read(), scale));
    });
  }
  for (const [name, parameter] of network.packedParameters()) {
    const scale = scaleOf(name);
    if (scale !== 1) scalePacked(parameter, scale);
  }
}

/** Ids of the tokens that decide; LLaVA has those around the image already. */
function decisionIds(system: System, config: ExperimentConfig): readonly number[] {
  const { ids } = system.vocabulary(config.model, config);
  return ids.filter(({ token }) => token !== IMAGE_START_TOKEN && token !== IMAGE_END_TOKEN).map(({ id }) => id);
}

/** Ids that the start model has not learned: LLaVA has the tokens around the image, under the same ids in one system. */
function newIds(system: System, config: ExperimentConfig, start: string): readonly number[] {
  if (sizesOfFolder(openModelDirectory(start)).system === config.model.system) return decisionIds(system, config);
  return system.vocabulary(config.model, config).ids.map(({ id }) => id);
}

/** Rows of some ids in embedding and head from N(0, 0.02). */
function redrawTokens(network: GroundingModel, ids: readonly number[], random: Random): void {
  const parameters = network.namedParameters();
  tf.tidy(() => {
    // The embedding is [vocabulary, size], the head [size, vocabulary].
    for (const name of ['model.embed_tokens.weight', 'lm_head.weight']) {
      const isHead = name === 'lm_head.weight';
      const variable = parameters.get(name)?.variable;
      if (variable === undefined) throw new Error(`redrawTokens: no parameter "${name}"`);
      const value = variable.read();
      const [rows = 0, columns = 0] = value.shape;
      const size = isHead ? rows : columns;
      const isKept = new Float32Array(isHead ? columns : rows).fill(1);
      const drawn = new Float32Array(rows * columns);
      for (const id of ids) {
        isKept[id] = 0;
        for (let i = 0; i < size; i++) {
          drawn[isHead ? i * columns + id : id * columns + i] = 0.02 * random.normal();
        }
      }
      const kept = tf.mul(value, tf.tensor2d(isKept, isHead ? [1, columns] : [rows, 1]));
      variable.write(tf.add(kept, tf.tensor2d(drawn, [rows, columns])));
    }
  });
}
