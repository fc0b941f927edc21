/**
 * A GSVA put together from the files that the published code is given: LLaVA's folder, CLIP's folder, SAM's checkpoint
 * and GSVA's own weights, in this order; later ones replace earlier ones. Nothing is read here but headers and
 * configurations: weights are read when they are loaded or written, one at a time.
 */
import { join } from 'node:path';
import { type ModelConfig, modelConfigToJson, parseModelConfig, type TokenIds } from '../config.js';
import { UserError } from '../errors.js';
import { openCheckpoint } from '../io/checkpoint-files.js';
import type { FileTensor, FileTensors } from '../io/file-tensor.js';
import { resolveHubName } from '../io/hub-cache.js';
import { readJson } from '../io/json-file.js';
import { JsonReader } from '../io/json-reader.js';
import { toFloat32 } from '../io/safetensors.js';
import { Random } from '../random.js';
import { refuseDelta } from './llava-delta.js';
import { publishedConfig } from './published-config.js';
import { ownName, type PublishedPart } from './published-names.js';

/** Paths, or names in the local Hugging Face cache. */
export interface PublishedPaths {
  /** Folder of LLaVA: config.json, weights, tokenizer. */
  readonly mllm: string;
  /** Folder of CLIP: config.json, weights. */
  readonly visionTower: string;
  /** sam_vit_{b,l,h}.pth. */
  readonly sam: string;
  /** gsva-*.bin, or null for a model that GSVA's training starts from. */
  readonly weights: string | null;
}

/** What became of the tensors of one part. */
export interface PartReport {
  readonly part: PublishedPart;
  readonly files: readonly string[];
  readonly loaded: number;
  /** Names that another part gives as well, and which replaces this one. */
  readonly replaced: readonly string[];
  readonly unused: readonly { readonly name: string; readonly reason: string }[];
}

export interface PublishedModel {
  readonly config: ModelConfig;
  /** By our names. */
  readonly tensors: FileTensors;
  readonly parts: readonly PartReport[];
  /** Tables that were given rows for the added tokens. */
  readonly grown: readonly { readonly name: string; readonly from: number; readonly to: number }[];
  /** Folder with the tokenizer's files. */
  readonly tokenizerDir: string;
}

/** Keys of config.json that replace what the files say: 'sam.decoder_heads' → 4. */
export type ConfigOverrides = readonly (readonly [key: string, value: unknown])[];

/** New rows are drawn from N(0, 0.02), as the reference draws them when it adds the tokens. */
const NEW_ROW_DEVIATION = 0.02;
const NEW_ROW_SEED = 42;
/** One row for every token of the vocabulary. */
const VOCABULARY_TABLES = ['model.embed_tokens.weight', 'lm_head.weight'];

/**
 * @param tokens ids of the special tokens, from the tokenizer in the folder `mllm`
 * @throws UserError naming the file, and the tensor or key, at fault
 */
export function openPublishedModel(
  paths: PublishedPaths,
  tokens: TokenIds,
  overrides: ConfigOverrides = [],
): PublishedModel {
  const mllm = resolveHubName(paths.mllm, 'the multimodal LLM');
  const tower = resolveHubName(paths.visionTower, 'the vision tower');
  const llava = readConfig(mllm, "LLaVA's sizes");
  const clip = readConfig(tower, "the vision tower's sizes");
  const sources: readonly (readonly [PublishedPart, string])[] = [
    ['mllm', mllm],
    ['vision tower', tower],
    ['sam', resolveHubName(paths.sam, 'SAM')],
    ...(paths.weights === null ? [] : ([['weights', resolveHubName(paths.weights, "GSVA's weights")]] as const)),
  ];
  const tensors = new Map<string, FileTensor>();
  const parts: PartReport[] = [];
  for (const [part, path] of sources) {
    const { files, tensors: published } = openCheckpoint(path);
    if (part === 'mllm') refuseDelta(path, llava, published);
    parts.push({ part, files, ...addPart(part, published, tensors, path) });
  }
  const grown = growVocabulary(tensors, tokens);
  const derived = publishedConfig(llava, clip, tensors, tokens);
  return { config: withOverrides(derived, overrides), tensors, parts, grown, tokenizerDir: mllm };
}

function readConfig(folder: string, what: string): JsonReader {
  const path = join(folder, 'config.json');
  return JsonReader.of(readJson(path, what), path);
}

function addPart(
  part: PublishedPart,
  published: FileTensors,
  tensors: Map<string, FileTensor>,
  path: string,
): Omit<PartReport, 'part' | 'files'> {
  const unused: { name: string; reason: string }[] = [];
  const replaced: string[] = [];
  const mine = new Map<string, string>();
  for (const [publishedName, tensor] of published) {
    const own = ownName(part, publishedName);
    if ('unused' in own) {
      unused.push({ name: publishedName, reason: own.unused });
      continue;
    }
    const twice = mine.get(own.name);
    if (twice !== undefined) {
      throw new UserError(`${path}: "${twice}" and "${publishedName}" are both ${own.name}. One of them must go.`);
    }
    mine.set(own.name, publishedName);
    if (tensors.has(own.name)) replaced.push(own.name);
    tensors.set(own.name, tensor);
  }
  if (mine.size === 0) {
    const some = [...published.keys()].slice(0, 3).join(', ');
    throw new UserError(
      `${path}, named as ${part}, has no tensor of that part (it has ${some}). Check which is which.`,
    );
  }
  return { loaded: mine.size, replaced, unused };
}

/** Rows for the added tokens where a table ends before them. */
function growVocabulary(tensors: Map<string, FileTensor>, tokens: TokenIds): PublishedModel['grown'] {
  const { seg, rej, imStart, imEnd } = tokens;
  const needed = 1 + Math.max(seg, rej, imStart, imEnd);
  const grown: { name: string; from: number; to: number }[] = [];
  for (const name of VOCABULARY_TABLES) {
    const tensor = tensors.get(name);
    const from = tensor?.shape[0] ?? 0;
    if (tensor === undefined || from >= needed) continue;
    tensors.set(name, withRows(tensor, needed, name));
    grown.push({ name, from, to: needed });
  }
  return grown;
}

/** The table with further rows, drawn anew in the same way each time that it is read. */
function withRows(tensor: FileTensor, rows: number, name: string): FileTensor {
  const [present = 0, size = 0] = tensor.shape;
  const read = (): Float32Array => {
    const table = new Float32Array(rows * size);
    table.set(toFloat32({ ...tensor, data: tensor.read() }, name));
    const random = new Random(NEW_ROW_SEED);
    for (let i = present * size; i < table.length; i++) table[i] = random.normal() * NEW_ROW_DEVIATION;
    return table;
  };
  return { dtype: 'F32', shape: [rows, size], read };
}

function withOverrides(config: ModelConfig, overrides: ConfigOverrides): ModelConfig {
  const json = modelConfigToJson(config);
  for (const [key, value] of overrides) {
    const [section = '', name] = key.split('.');
    const place = name === undefined ? json : json[section];
    if (typeof place !== 'object' || place === null)
      throw new UserError(`--set ${key}: config.json has no "${section}"`);
    (place as Record<string, unknown>)[name ?? section] = value;
  }
  return parseModelConfig(json, 'the sizes found in the files (--set replaces them)');
}
