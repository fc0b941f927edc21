/**
 * A model on disk, opened: what it is, how large, its tokenizer, and weights that are read when they are asked for.
 * Either a folder of ours, or the files that the published code is given.
 */
import { join } from 'node:path';
import type { ModelMeta } from '../checkpoints/checkpoint-directory.js';
import { checkTokenizer, openModelDirectory, withWeights } from '../checkpoints/checkpoint-directory.js';
import { startsRandom } from '../checkpoints/parts.js';
import { packedBytes, type Precision } from '../checkpoints/precision.js';
import { checkWeights, type LoadReport } from '../checkpoints/weights.js';
import { startDryRun } from '../engine/dry-run.js';
import { CONVERSATION_STYLES, type ConversationStyle } from '../data/text/conversation.js';
import { readTokenizer } from '../data/read-tokenizer.js';
import type { Tokenizer } from '../data/text/tokenizer.js';
import { coded, UserError } from '../errors.js';
import { resolveHubName } from '../io/cache/hub-cache.js';
import type { FileTensors } from '../io/file-tensor.js';
import { packagedPath } from '../program.js';
import { openSystem } from '../systems/index.js';
import { type PublishedModel, publishedFolder, systemOfSource } from '../systems/published-files.js';
import { publishedForm } from '../systems/published-forms.js';
import type { System } from '../systems/system.js';
import { type ModelSource, type PublishedSource, sourceName } from './model-source.js';
import { Predictor } from './predictor.js';

export type { ModelSource, PublishedSource };

/** @typeParam C sizes, as the system reads config.json */
export interface OpenedModel<C = unknown> {
  readonly system: System;
  readonly config: C;
  readonly meta: ModelMeta & { readonly conversation: ConversationStyle };
  /** By our names, with or without peft's prefix. */
  readonly tensors: FileTensors;
  /** With the added tokens. */
  readonly tokenizer: Tokenizer;
  readonly tokenizerDir: string;
  /** For errors: the model, and the file that its weights are in. */
  readonly source: string;
  readonly weightsPath: string;
  /** How the files were put together; null for a folder of ours. */
  readonly published: PublishedModel | null;
}

/** @typeParam C of the system that the caller expects @throws UserError that names the file and what is wrong with it */
export async function openModel<C = unknown>(source: ModelSource): Promise<OpenedModel<C>> {
  const { json, configPath, metaPath, ...opened } = await (typeof source === 'string'
    ? openFolder(source)
    : openPublished(source));
  const system = await openSystem(json, configPath);
  const { tensors, weightsPath } = opened;
  const weights = { names: tensors.keys(), source: weightsPath };
  const config = system.config.parse(json, configPath, weights) as C;
  const vocabulary = system.vocabulary(config, { ...opened.meta, source: metaPath });
  const { added, addedTokenSpaces } = vocabulary;
  const tokenizer = readTokenizer(opened.tokenizerDir, { addedTokenSpaces });
  tokenizer.addTokens(added);
  checkTokenizer(tokenizer, vocabulary, opened.source);
  return { ...opened, system, config, tokenizer };
}

type Opened = Omit<OpenedModel, 'system' | 'config' | 'tokenizer'> & {
  /** Value of config.json, and where it and the model's description stand. */
  readonly json: unknown;
  readonly configPath: string;
  readonly metaPath: string;
};

/** A folder of ours, or one that is a whole published model by itself. */
function openFolder(source: string): Opened | Promise<Opened> {
  const dir = resolveHubName(packagedPath(source), 'the model');
  const published = publishedFolder(dir);
  return published === null ? openOwn(dir) : openPublished(published);
}

function openOwn(dir: string): Opened {
  const { meta, ...opened } = openModelDirectory(dir);
  const conversation = CONVERSATION_STYLES.find((known) => known === meta.conversation);
  if (conversation === undefined) {
    throw new UserError(
      `Reading the model ${dir}: meta.json has the conversation "${meta.conversation}"; known are ${CONVERSATION_STYLES.join(', ')}.`,
    );
  }
  const own = { ...opened, meta: { ...meta, conversation }, metaPath: join(dir, 'meta.json') };
  return { ...own, tokenizerDir: dir, source: dir, published: null };
}

async function openPublished(source: PublishedSource): Promise<Opened> {
  const published = (await publishedForm(systemOfSource(source))).open(source);
  const { json, meta, tensors, tokenizerDir, source: name } = published;
  const paths = { configPath: name, metaPath: name, weightsPath: name, source: name };
  return { json, ...paths, meta, tensors, tokenizerDir, published };
}

/**
 * A model's files against the model, strictly, without its memory: nothing is read but headers. Changes
 * TensorFlow.js's backend, as every dry run does.
 * @throws UserError that names the tensors that are missing, left over or of the wrong shape
 */
export async function checkModel({ system, config, tensors, weightsPath, meta }: OpenedModel): Promise<LoadReport> {
  await startDryRun('fused');
  const network = system.build(config);
  network.build();
  try {
    const options = meta.stage === 'base' ? { mayBeMissing: startsRandom(network.parts) } : {};
    return checkWeights(network, tensors, weightsPath, options);
  } finally {
    network.dispose();
  }
}

/** A model that was loaded, and what its folder says of it. */
export interface LoadedPredictor {
  readonly predictor: Predictor;
  readonly meta: ModelMeta;
  /** Bytes of the matrices that are kept in 16 bits; 0 where all are float32. */
  readonly packedBytes: number;
}

/** Why a model's answers mean nothing: it has yet to learn its decision tokens. Null for a trained one. */
export function untrainedText({ stage }: ModelMeta, name: string): string | null {
  if (!stage.startsWith('base')) return null;
  return (
    `${name} has not learned its decision tokens yet (its stage is ${stage}), so its answers mean nothing: ` +
    'it is what training starts from'
  );
}

/**
 * Loads a model on the engine in use.
 * @param rejectThreshold instead of the model's own
 * @throws UserError that names the file and what is wrong with it
 */
export function loadPredictor(
  source: ModelSource,
  precision: Precision = 'auto',
  rejectThreshold: number | null = null,
): Promise<LoadedPredictor> {
  return coded('bad-model', async () => {
    const { system, config, tensors, tokenizer, meta, weightsPath, published } = await openModel(source);
    if (published?.lacks !== undefined) {
      throw new UserError(`Loading ${sourceName(source)}: ${published.lacks}.`);
    }
    const network = withWeights(system.build(config), tensors, weightsPath, precision);
    const { conversation, variant, knows = null } = meta;
    const predictor = new Predictor(system, network, tokenizer, conversation, {
      rejectThreshold: rejectThreshold ?? meta.rejectThreshold ?? null,
      model: { name: sourceName(source), knows },
      ...(variant === undefined ? {} : { variant }),
    });
    return { predictor, meta, packedBytes: packedBytes(network) };
  });
}
