/**
 * A model as a folder, complete in itself:
 *
 *     config.json         the system and its sizes
 *     meta.json           what it is: style of conversation, stage of training, description, what it knows; threshold of
 *                         rejection and form of answers where they are not the usual ones
 *     model.safetensors   every weight, under the published names; large models have shards and an index
 *     tokenizer files     tokenizer.model or tokenizer.json, and what belongs to them
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Tokenizer } from '../data/text/tokenizer.js';
import { UserError, messageOf } from '../errors.js';
import { openCheckpoint, weightsOf } from '../io/checkpoint-files.js';
import { writeFileAtomic } from '../io/atomic/atomic-file.js';
import type { FileTensors } from '../io/file-tensor.js';
import { readJson, writeJson } from '../io/json/json-file.js';
import { jsonFile, type PendingFile } from '../io/atomic/pending-file.js';
import { safetensorsPieces } from '../io/safetensors/safetensors-writer.js';
import type { WeightDtype } from '../io/tensor-output.js';
import { number, object, readAs, record, text, without } from '../schema.js';
import type { CompositeLayer } from '../nn/composite-layer.js';
import type { ModelMeta } from './model-meta.js';
import { type Precision, tensorsToPack } from './precision.js';
import { type LoadOptions, type LoadReport, loadWeights, storableWeights } from './weights.js';

export type { ModelMeta };

const CONFIG_FILE = 'config.json';
const META_FILE = 'meta.json';
const WEIGHTS_FILE = 'model.safetensors';
/** All that a tokenizer may consist of. */
export const TOKENIZER_FILES = [
  'tokenizer.model',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
] as const;

/** Raised when the meaning of the folder's files changes. */
const FORMAT = 1;
const META_SCHEMA = object({
  format: z.literal(FORMAT, { error: `${FORMAT}, the format that this version reads` }),
  conversation: text(),
  stage: text(),
  description: text(),
  knows: text().optional(),
  rejectThreshold: number({ min: 0, max: 1 }).optional(),
  variant: z.unknown().optional(),
  details: record(z.unknown()).optional(),
});

/** A model, and the file its weights were read from; null where they were drawn. */
type Network = CompositeLayer & { weightsFile: string | null };

export interface WriteOptions {
  /** Contents of config.json, as the model's system writes them. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly meta: ModelMeta;
  /** Folder whose tokenizer files are copied. */
  readonly tokenizerDir: string;
  /** How weights are stored. Default F32. */
  readonly dtype?: WeightDtype;
}

/** Properties of a tokenizer that have to agree with a model's vocabulary. */
type TokenizerIds = Pick<Tokenizer, 'vocabSize' | 'bosId' | 'eosId' | 'tokenId'>;

/** Ids of a model's vocabulary (systems/system.ts has the whole of it). */
export interface ModelIds {
  readonly size: number;
  readonly begin: number | null;
  readonly end: number;
  readonly ids: readonly { readonly token: string; readonly id: number; readonly key: string }[];
}

/** A model folder, its weights not read yet. */
export interface OpenedDirectory {
  /** Value of config.json. */
  readonly json: unknown;
  readonly configPath: string;
  readonly meta: ModelMeta;
  readonly tensors: FileTensors;
  /** File or index of the weights, for errors. */
  readonly weightsPath: string;
}

/**
 * Opens a model folder, all but its tokenizer; its system reads the value of config.json.
 * @throws UserError that names the file and the key at fault
 */
export function openModelDirectory(dir: string): OpenedDirectory {
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new UserError(
      `Reading the model: there is no folder ${dir}. Point to a folder with ${CONFIG_FILE} and ${WEIGHTS_FILE}.`,
    );
  }
  const configPath = join(dir, CONFIG_FILE);
  const json = readJson(configPath, "the model's sizes");
  const meta = readMeta(join(dir, META_FILE));
  const weightsPath = weightsOf(dir);
  return { json, configPath, meta, tensors: openCheckpoint(weightsPath).tensors, weightsPath };
}

/**
 * Builds a model and sets its weights.
 * @param network not built yet; disposed where this fails
 * @param source for errors
 * @param precision how its large matrices are kept; packed ones do not train
 * @returns the network; the caller disposes it
 * @throws UserError that names the tensor at fault; nothing is left allocated then
 */
export function withWeights<N extends Network>(
  network: N,
  tensors: FileTensors,
  source: string,
  precision: Precision = 'f32',
): N {
  try {
    const packed = tensorsToPack(tensors, precision);
    network.packWeights((name) => packed.has(name));
    network.build();
    loadWeights(network, tensors, source, { roundPacked: precision === 'packed' });
    network.weightsFile = source;
    return network;
  } catch (error) {
    network.dispose();
    throw error;
  }
}

/**
 * Sets an existing model's weights from a model folder, whose own sizes are not read: shapes are checked one by one.
 * @throws UserError that names the file and the tensor at fault; nothing is changed then
 */
export function loadModelWeights(dir: string, network: Network, options: LoadOptions = {}): LoadReport {
  const path = weightsOf(dir);
  const report = loadWeights(network, openCheckpoint(path).tensors, path, options);
  network.weightsFile = path;
  return report;
}

/** A model folder's files as they are now, in memory of their own. @throws UserError when `tokenizerDir` has no tokenizer */
export async function modelDirectoryFiles(network: Network, options: WriteOptions): Promise<PendingFile[]> {
  const description = descriptionFiles(options);
  const weights = await storableWeights(network, { dtype: options.dtype });
  return [...description, { name: WEIGHTS_FILE, pieces: safetensorsPieces(WEIGHTS_FILE, weights, { format: 'pt' }) }];
}

/**
 * Writes all files of a model folder but its weights into `dir`, which exists. @throws UserError when one cannot be
 * written or `tokenizerDir` has no tokenizer
 */
export function writeModelDescription(dir: string, options: Omit<WriteOptions, 'dtype'>): void {
  for (const { name, pieces } of descriptionFiles(options)) writeFileAtomic(join(dir, name), pieces);
}

function descriptionFiles({ config, meta, tokenizerDir }: Omit<WriteOptions, 'dtype'>): PendingFile[] {
  const present = TOKENIZER_FILES.filter((name) => existsSync(join(tokenizerDir, name)));
  const isPresent = (name: (typeof TOKENIZER_FILES)[number]): boolean => present.includes(name);
  const hasFiles = isPresent('vocab.json') && isPresent('merges.txt');
  if (!isPresent('tokenizer.model') && !isPresent('tokenizer.json') && !hasFiles) {
    throw new UserError(
      `Writing the model: ${tokenizerDir} has neither tokenizer.model nor tokenizer.json, and a model without a ` +
        'tokenizer cannot be used. Name the folder of the tokenizer it was trained with.',
    );
  }
  const copy = (name: string): PendingFile => {
    try {
      return { name, pieces: [Uint8Array.from(readFileSync(join(tokenizerDir, name)))] };
    } catch (error) {
      throw new UserError(`Writing the model: ${name} of ${tokenizerDir} cannot be copied: ${messageOf(error)}.`);
    }
  };
  return [jsonFile(CONFIG_FILE, config), jsonFile(META_FILE, metaToJson(meta)), ...present.map(copy)];
}

/**
 * Makes sure that a tokenizer (its tokens added) and a model mean the same by every id that the model gives a meaning.
 * @param source the model's folder, for errors
 * @throws UserError that names the token
 */
export function checkTokenizer(tokenizer: TokenizerIds, vocabulary: ModelIds, source: string): void {
  const { begin, end, size, ids } = vocabulary;
  const pairs = [
    ...ids.map(({ token, id, key }) => ({ what: token, found: tokenizer.tokenId(token), id, key })),
    ...(begin === null
      ? []
      : [{ what: 'the begin-of-text token', found: tokenizer.bosId, id: begin, key: 'tokens.bos' }]),
    { what: 'the end-of-text token', found: tokenizer.eosId, id: end, key: 'tokens.eos' },
  ];
  const refuse = (fault: string, key: string, value: number): never => {
    throw new UserError(
      `Reading the model ${source}: its tokenizer ${fault}, but "${key}" of ${CONFIG_FILE} is ${value}. ` +
        'Use the tokenizer files that the model was trained with.',
    );
  };
  for (const { what, found, id, key } of pairs) {
    if (found !== id) refuse(`${found === undefined ? 'does not know' : `gives the id ${found} to`} ${what}`, key, id);
  }
  if (tokenizer.vocabSize > size) refuse(`has ${tokenizer.vocabSize} tokens`, 'llm.vocab_size', size);
}

/**
 * Stores a calibrated threshold with a model; all else stays as it is.
 * @throws UserError when `dir` is no model folder or cannot be written
 */
export function storeRejectThreshold(dir: string, rejectThreshold: number): void {
  const path = join(dir, META_FILE);
  writeJson(path, metaToJson({ ...readMeta(path), rejectThreshold }));
}

/** In this order; JSON leaves out what is undefined. */
function metaToJson(meta: ModelMeta): ModelMeta & { readonly format: number } {
  const { conversation, stage, description, knows, rejectThreshold, variant, details } = meta;
  return { format: FORMAT, conversation, stage, description, knows, rejectThreshold, variant, details };
}

function readMeta(path: string): ModelMeta {
  return without(readAs(META_SCHEMA, readJson(path, 'what kind of model this is'), path), 'format');
}
