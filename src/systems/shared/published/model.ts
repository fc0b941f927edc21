/**
 * A GSVA put together from the files that the published code is given: LLaVA's folder, CLIP's folder, SAM's checkpoint
 * and GSVA's own weights, in this order; later ones replace earlier ones. Nothing is read here but headers and
 * configurations: weights are read when they are loaded or written, one at a time.
 */
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ModelConfig, modelConfigToJson, parseModelConfig, type TokenIds } from '../model-config.js';
import { UserError } from '../../../errors.js';
import { openCheckpoint } from '../../../io/checkpoint-files.js';
import { describeStandInAt, headOf } from '../../../io/byte-source.js';
import { describeNotSafetensors } from '../../../io/file-kind.js';
import type { FileTensor, FileTensors } from '../../../io/file-tensor.js';
import { resolveHubName } from '../../../io/cache/hub-cache.js';
import { JsonReader } from '../../../io/json/json-reader.js';
import { toFloat32 } from '../../../io/file-tensor.js';
import { Random } from '../../../random.js';
import { refuseDelta } from './llava-delta.js';
import { type AdapterFacts, readAdapter, refuseLlavaAdapter } from './adapter.js';
import { publishedConfig, refuseGuesses } from './config.js';
import { tiesEmbeddings } from './llama.js';
import type { ConfigOverrides } from '../../published-files.js';
import { lackOfLlava, ownNames, type PartReport, type PublishedPart, type PublishedTensors } from './names.js';
import { overridden } from './overrides.js';
import { refuseQuantised } from './quantised.js';

/** Paths, or names in the local Hugging Face cache. */
export interface PublishedPaths {
  /** Folder of LLaVA: config.json, weights, tokenizer. */
  readonly mllm: string;
  /** Folder of CLIP: config.json, weights. */
  readonly visionTower: string;
  /** sam_vit_{b,l,h}.pth; null where other files hold it, as LISA's do. */
  readonly sam: string | null;
  /** gsva-*.bin, or null for a model that GSVA's training starts from. */
  readonly weights: string | null;
}

export interface PublishedModel extends PublishedTensors {
  readonly config: ModelConfig;
  /** By our names. */
  readonly tensors: FileTensors;
  /** Folder with the tokenizer's files. */
  readonly tokenizerDir: string;
}

/** New rows are drawn from N(0, 0.02), as the reference draws them when it adds the tokens. */
const NEW_ROW_DEVIATION = 0.02;
const NEW_ROW_SEED = 42;
const EMBEDDING = 'model.embed_tokens.weight';
const HEAD = 'lm_head.weight';
const SAM_POSITIONS = 'model.visual_model.image_encoder.pos_embed';
/** A tensor that every file of a part has: without it, the file is another. */
const SIGN_OF: Readonly<Record<PublishedPart, string | null>> = {
  mllm: EMBEDDING,
  'vision tower': 'model.vision_tower.vision_tower.vision_model.embeddings.patch_embedding.weight',
  sam: SAM_POSITIONS,
  weights: null,
};
/** How the options are called. */
const OPTION: Readonly<Record<PublishedPart, string>> = {
  mllm: '--mllm',
  'vision tower': '--vision-tower',
  sam: '--sam',
  weights: '--weights',
};

/**
 * @param tokensOf ids of the special tokens, from the tokenizer in LLaVA's folder
 * @throws UserError naming the file, and the tensor or key, at fault
 */
export function openPublishedModel(
  paths: PublishedPaths,
  tokensOf: (tokenizerDir: string) => TokenIds,
  overrides: ConfigOverrides = [],
): PublishedModel {
  const mllm = resolveHubName(paths.mllm, 'the multimodal LLM');
  const tower = resolveHubName(paths.visionTower, 'the vision tower');
  const llava = readConfig(mllm, "LLaVA's sizes");
  const clip = readConfig(tower, "the vision tower's sizes");
  const sources: readonly (readonly [PublishedPart, string])[] = [
    ['mllm', mllm],
    ['vision tower', tower],
    ...(paths.sam === null ? [] : ([['sam', resolveHubName(paths.sam, 'SAM')]] as const)),
    ...(paths.weights === null ? [] : ([['weights', resolveHubName(paths.weights, "GSVA's weights")]] as const)),
  ];
  const tensors = new Map<string, FileTensor>();
  const parts: PartReport[] = [];
  let adapter: AdapterFacts | null = null;
  let samConfig: JsonReader | null = null;
  for (const [part, path] of sources) {
    const { files, tensors: published, within = null } = openCheckpoint(path);
    const file = files[0] ?? path;
    if (part === 'mllm') refuseDelta(path, llava, published);
    refuseQuantised(path, part === 'mllm' ? llava : null, published);
    if (part === 'weights') adapter = readAdapter(file);
    if (part === 'sam') samConfig = configNextTo(file);
    const added = addPart(part, published, tensors, path);
    parts.push({ part, files, within, ...added.report });
    if (part === 'mllm') tieEmbeddings(tensors, llava, path);
    if (part === 'weights') refuseLlavaAdapter(path, added.names, adapter);
  }
  checkSam(paths, parts, tensors);
  const tokens = tokensOf(mllm);
  const grown = growVocabulary(tensors, tokens);
  const derived = publishedConfig({ llava, clip }, samConfig, adapter, tensors, tokens);
  const given = overrides.map(([key]) => key);
  refuseGuesses(derived, samConfig, given);
  return { config: withOverrides(derived, overrides), tensors, parts, grown, tokenizerDir: mllm };
}

/** SAM comes from one place: a second one would replace what was trained. */
function checkSam({ mllm, sam, weights }: PublishedPaths, parts: readonly PartReport[], tensors: FileTensors): void {
  const replaced = parts.find(({ part }) => part === 'sam')?.replaced ?? [];
  if (replaced.length > 0) {
    throw new UserError(
      `${mllm} holds a trained SAM (LISA's folder does), which --sam would replace. Leave out --sam.`,
    );
  }
  if (sam !== null || tensors.has(SAM_POSITIONS)) return;
  throw new UserError(
    `${weights ?? mllm} holds no SAM, as LISA's folders and training checkpoints do. Name sam_vit_h_4b8939.pth as --sam.`,
  );
}

/** SamModel's config.json; null for sam_vit_*.pth, which has none of its own. */
function configNextTo(file: string): JsonReader | null {
  const path = join(dirname(file), 'config.json');
  if (!/(?:^|[/\\])(?:model|pytorch_model)[^/\\]*$/.test(file) || !existsSync(path)) return null;
  return JsonReader.open(path, "SAM's sizes");
}

/** Tied embeddings are saved once: lm_head is embed_tokens. */
function tieEmbeddings(tensors: Map<string, FileTensor>, llava: JsonReader, path: string): void {
  if (!tiesEmbeddings(llava)) return;
  const [embedding, head] = [tensors.get(EMBEDDING), tensors.get(HEAD)];
  if (embedding === undefined) return;
  if (head === undefined) return void tensors.set(HEAD, embedding);
  if (Buffer.from(embedding.read().buffer).equals(Buffer.from(head.read().buffer))) return;
  throw new UserError(
    `${path}: config.json says tie_word_embeddings, but "${HEAD}" and "${EMBEDDING}" differ. Set the key to false if both ` +
      'were trained, or remove lm_head from the weights.',
  );
}

function readConfig(folder: string, what: string): JsonReader {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found?.isDirectory() !== true) {
    const kind = found?.isFile() === true ? describeNotSafetensors(headOf(folder)) : null;
    if (kind !== null) throw new UserError(`Reading ${what}: ${folder} is no folder; ${kind}.`);
    throw new UserError(`Reading ${what}: ${folder} is no folder. Name the one that has config.json and the weights.`);
  }
  const path = join(folder, 'config.json');
  const config = JsonReader.open(path, what);
  const standIn = describeStandInAt(path, true);
  if (standIn !== null) throw new UserError(`Reading ${what}: ${path} cannot be read: ${standIn}.`);
  return config;
}

function addPart(
  part: PublishedPart,
  published: FileTensors,
  tensors: Map<string, FileTensor>,
  path: string,
): { report: Omit<PartReport, 'part' | 'files' | 'within'>; names: Iterable<string> } {
  const unused: { name: string; reason: string }[] = [];
  const replaced: string[] = [];
  const mine = new Map<string, string>();
  const empty: string[] = [];
  for (const [publishedName, own] of ownNames(part, published.keys())) {
    if ('unused' in own) {
      unused.push({ name: publishedName, reason: own.unused });
      continue;
    }
    const twice = mine.get(own.name);
    if (twice !== undefined) {
      throw new UserError(`${path}: "${twice}" and "${publishedName}" are both ${own.name}. One of them must go.`);
    }
    mine.set(own.name, publishedName);
    const tensor = published.get(publishedName) as FileTensor;
    if (tensor.shape.includes(0)) empty.push(publishedName);
    if (tensors.has(own.name)) replaced.push(own.name);
    tensors.set(own.name, tensor);
  }
  refuseEmpty(path, empty, mine.size);
  const lack = part === 'mllm' ? lackOfLlava([...published.keys()]) : null;
  if (lack !== null) {
    throw new UserError(
      `${path} has LLaVA's weights as transformers names them (LlavaForConditionalGeneration), but lacks "${lack}". Use a ` +
        'folder that transformers saved whole, or that of the published code (liuhaotian/llava-v1.5-7b).',
    );
  }
  const sign = SIGN_OF[part];
  if (mine.size === 0 || (sign !== null && !mine.has(sign))) refuseOtherPart(part, path, [...published.keys()], sign);
  return { report: { loaded: mine.size, replaced, unused }, names: mine.keys() };
}

/** Sizes are derived from shapes: one of 0 would be taken for a rank or a number of heads. */
function refuseEmpty(path: string, empty: readonly string[], count: number): void {
  if (empty.length === 0) return;
  throw new UserError(
    `${path}: ${empty.length} of ${count} tensors are empty ("${empty[0] ?? ''}" has no elements): the file is one process's ` +
      'part of DeepSpeed ZeRO-3. Join the parts with python zero_to_fp32.py FOLDER OUT, which DeepSpeed leaves in the folder ' +
      'of its checkpoints, or save with stage3_gather_16bit_weights_on_model_save.',
  );
}

function refuseOtherPart(part: PublishedPart, path: string, names: readonly string[], sign: string | null): never {
  const shown = names.slice(0, 3).map((name) => `"${name}"`);
  const more = names.length > 3 ? ` and ${names.length - 3} more` : '';
  const lack = sign === null ? 'no tensor of that part' : `no ${sign.split('.').slice(-2).join('.')}`;
  const kind = KINDS.find(([pattern]) => names.some((name) => pattern.test(name)));
  const what = kind === undefined ? '' : `: ${kind[1]}`;
  throw new UserError(
    `${path}, named as ${OPTION[part]}, has ${lack} (it has ${shown.join(', ')}${more}${what}). Check which file is which.`,
  );
}

/** Files that are taken for each other, by a name that only they have. */
const KINDS: readonly (readonly [RegExp, string])[] = [
  [
    /(?:^|\.)visual\.(?:transformer\.resblocks|conv1)\./,
    'CLIP as OpenAI and open_clip name it; give the folder of openai/clip-vit-large-patch14',
  ],
  [/(?:^|\.)_flat_param$/, 'flat parameters of FSDP; save with StateDictType.FULL_STATE_DICT'],
  [/(?:^|\.)visual_model\.mask_decoder\./, "GSVA's weights, which are named as --weights"],
  [/(?:^|\.)lora_A\./, 'a LoRA without its base; merge it with peft (merge_and_unload) first'],
  [/image_encoder\.(?:patch_embed\.seq|layers\.0\.blocks)/, 'MobileSAM; SAM with a ViT is read'],
  [/image_encoder\.(?:trunk|neck\.convs)\./, 'SAM 2; SAM with a ViT is read'],
  [/(?:^|\.)image_encoder\.pos_embed$|(?:^|\.)vision_encoder\.pos_embed$/, 'SAM'],
  [/(?:^|\.)vision_model\.embeddings\./, 'CLIP'],
  [/(?:^|\.)embed_tokens\.weight$/, 'a language model'],
];

/** Rows for the added tokens where a table ends before them. */
function growVocabulary(tensors: Map<string, FileTensor>, tokens: TokenIds): PublishedModel['grown'] {
  const { seg, rej = seg, imStart, imEnd } = tokens;
  const needed = 1 + Math.max(seg, rej, imStart, imEnd);
  const grown: { name: string; from: number; to: number }[] = [];
  // The tables with one row for every token of the vocabulary.
  for (const name of [EMBEDDING, HEAD]) {
    const tensor = tensors.get(name);
    const from = tensor?.shape[0] ?? 0;
    if (tensor === undefined || from >= needed) continue;
    tensors.set(name, withRows(tensor, needed, name));
    grown.push({ name, from, to: needed });
  }
  return grown;
}

/** The table with further rows, drawn in the same way each time that it is read. */
function withRows(tensor: FileTensor, rows: number, name: string): FileTensor {
  const [present = 0, size = 0] = tensor.shape;
  const read = (): Float32Array => {
    const table = new Float32Array(rows * size);
    table.set(toFloat32({ ...tensor, data: tensor.read() }, name));
    const random = new Random(NEW_ROW_SEED);
    for (let i = present * size; i < table.length; i++) table[i] = random.normal() * NEW_ROW_DEVIATION;
    return table;
  };
  return { ...tensor, dtype: 'F32', shape: [rows, size], read };
}

function withOverrides(config: ModelConfig, overrides: ConfigOverrides): ModelConfig {
  const json = overridden(modelConfigToJson(config), overrides);
  return parseModelConfig(json, 'the sizes found in the files (--set replaces them)');
}
