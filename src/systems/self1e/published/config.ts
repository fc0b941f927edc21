/**
 * Sizes of an InternVL3 by its config.json: OpenGVLab's (`llm_config`), as older and newer transformers write it, and
 * transformers' own (`text_config`), which leaves out what equals its defaults.
 */
import type { FileTensors } from '../../../io/file-tensor.js';
import type { JsonReader } from '../../../io/json/json-reader.js';
import { requireValue, sizesIn } from '../../shared/published/llama.js';
import { ROPE_FREQUENCIES } from '../../../config.js';
import { UserError } from '../../../errors.js';
import { EMBEDDING, POSITIONS } from './names.js';

/** Defaults of transformers' Qwen2Config and InternVLVisionConfig. */
const LLM_DEFAULTS = {
  hidden_size: 4096,
  intermediate_size: 22016,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 32,
  max_position_embeddings: 32768,
};
const VISION_DEFAULTS = {
  hidden_size: 1024,
  intermediate_size: 4096,
  num_hidden_layers: 24,
  num_attention_heads: 16,
};
/** Class of the published SELF1E. */
export const PUBLISHED_CLASS = 'InternVL3SELF1E';
const DEFAULT_THETA = 10000;
const DEFAULT_EPSILON = 1e-6;

/** Sizes of the networks; the vocabulary has the rows of the embedding. */
export interface InternVlSizes {
  readonly vision: ReturnType<typeof visionSizes>;
  readonly llm: ReturnType<typeof llmSizes> & ReturnType<typeof frequencies> & { readonly vocabSize: number };
  readonly downsampleRatio: number;
  /** Vision tokens of a tile. */
  readonly imageTokens: number;
  /** Whether lm_head is the embedding. */
  readonly isTied: boolean;
  /** Id of <IMG_CONTEXT>, where the file says it. */
  readonly imageTokenId: number | null;
}

/** @param root config.json @param tensors by our names @throws UserError that names the key and what is supported */
export function internVlSizes(root: JsonReader, tensors: FileTensors): InternVlSizes {
  const isOwn = root.key('model_type').oneOf(['internvl_chat', 'internvl']) === 'internvl_chat';
  const llmPlace = isOwn ? root.key('llm_config') : root.key('text_config');
  const visionPlace = root.key('vision_config');
  for (const key of ['select_layer', 'vision_feature_layer']) {
    requireValue(root, key, -1, '-1 (the last layer of the encoder is taken)');
  }
  requireValue(root, 'ps_version', 'v2', '"v2" (another order of pixels is not supported)');
  requireValue(root, 'template', 'internvl2_5', '"internvl2_5" (another conversation is not supported)');
  const vision = visionSizes(visionPlace, !isOwn);
  const downsampleRatio = root.optional('downsample_ratio')?.number({ min: 0, max: 1 }) ?? 0.5;
  const imageTokens = imageTokensOf(root, vision, downsampleRatio);
  checkPositions(tensors, vision, visionPlace.source);
  const vocabSize = tensors.get(EMBEDDING)?.shape[0] ?? 0;
  return {
    vision,
    llm: { vocabSize, ...llmSizes(llmPlace, !isOwn), ...frequencies(root, llmPlace) },
    downsampleRatio,
    imageTokens,
    isTied: [root, llmPlace].some((place) => place.optional('tie_word_embeddings')?.boolean() === true),
    imageTokenId: root.optional('image_token_id')?.integer({ min: 0 }) ?? null,
  };
}

function visionSizes(place: JsonReader, mayLack: boolean) {
  requireValue(place, 'hidden_act', 'gelu', '"gelu"');
  requireValue(place, 'norm_type', 'layer_norm', '"layer_norm" (InternViT-6B is not supported)');
  requireValue(place, 'num_channels', 3, '3');
  for (const key of ['qk_normalization', 'use_qk_norm']) {
    requireValue(place, key, false, 'false (norms of queries and keys are not supported)');
  }
  for (const key of ['qkv_bias', 'attention_bias']) requireValue(place, key, true, 'true');
  return {
    ...sizesIn(place, VISION_DEFAULTS, mayLack),
    imageSize: sideOf(place, 'image_size', 448),
    patchSize: sideOf(place, 'patch_size', 14),
    layerNormEps: place.optional('layer_norm_eps')?.number({ min: 0 }) ?? DEFAULT_EPSILON,
  };
}

/** A side in pixels: a number, or transformers' pair of equal ones. */
function sideOf(place: JsonReader, key: string, usual: number): number {
  const found = place.optional(key);
  if (found === null) return usual;
  if (!Array.isArray(found.value)) return found.integer({ min: 1 });
  const [height, width, ...more] = found.numbers();
  if (height === undefined || height !== width || more.length > 0) found.fail('a number, or two equal ones');
  return height as number;
}

function llmSizes(place: JsonReader, mayLack: boolean) {
  place.optional('model_type')?.oneOf(['qwen2']);
  requireValue(place, 'hidden_act', 'silu', '"silu"');
  requireValue(place, 'use_sliding_window', false, 'false (a sliding window is not supported)');
  const sizes = sizesIn(place, LLM_DEFAULTS, mayLack);
  const { hiddenSize, numAttentionHeads: heads } = sizes;
  const headSize = `${hiddenSize / heads}, which is hidden_size / num_attention_heads (other heads are not supported)`;
  requireValue(place, 'head_dim', hiddenSize / heads, headSize);
  return {
    ...sizes,
    attentionBias: true,
    rmsNormEps: place.optional('rms_norm_eps')?.number({ min: 0 }) ?? DEFAULT_EPSILON,
    ropeTheta: ropeTheta(place),
  };
}

/**
 * Precision of the rotary frequencies: as a file of ours says; else rounded in a published SELF1E, which was trained and is
 * evaluated as a model that was cast to BF16 with all its buffers.
 */
function frequencies(root: JsonReader, llm: JsonReader): { readonly ropeFrequencies?: 'f32' | 'bf16' } {
  const own = llm.optional('rope_frequencies')?.oneOf(ROPE_FREQUENCIES);
  if (own !== undefined) return { ropeFrequencies: own };
  const isSelf1e =
    root
      .optional('architectures')
      ?.array()
      .some((name) => name.value === PUBLISHED_CLASS) === true;
  const isCast = ['dtype', 'torch_dtype'].some((key) => root.optional(key)?.value === 'bfloat16');
  return isSelf1e && isCast ? { ropeFrequencies: 'bf16' } : {};
}

/** `rope_theta`, or (transformers 5) that of `rope_parameters`. Dynamic scaling starts behind the longest position. */
function ropeTheta(place: JsonReader): number {
  const scalings = ['rope_parameters', 'rope_scaling'].flatMap((key) => place.optional(key) ?? []);
  for (const scaling of scalings) {
    for (const key of ['rope_type', 'type']) {
      const type = scaling.optional(key);
      if (type !== null && type.value !== 'default' && type.value !== 'dynamic') {
        type.fail('"default" or "dynamic" (other scaled positions are not supported)');
      }
    }
  }
  const found = [place, ...scalings].flatMap((each) => each.optional('rope_theta') ?? []);
  return found[0]?.number({ min: 1 }) ?? DEFAULT_THETA;
}

function imageTokensOf(
  root: JsonReader,
  { imageSize, patchSize }: ReturnType<typeof visionSizes>,
  ratio: number,
): number {
  const step = 1 / ratio;
  const patches = imageSize / patchSize;
  if (!Number.isInteger(step) || !Number.isInteger(patches) || patches % step !== 0) {
    throw new UserError(
      `${root.source}: pictures of ${imageSize} pixels in patches of ${patchSize} are ${patches} × ${patches}, which a ` +
        `downsample_ratio of ${ratio} does not divide; expected whole numbers of image tokens.`,
    );
  }
  requireValue(root, 'force_image_size', imageSize, `${imageSize}, which vision_config.image_size says`);
  const tokens = (patches / step) ** 2;
  const formula = `${tokens}, which is (${imageSize} / ${patchSize} · ${ratio})²: the image tokens of a tile`;
  for (const key of ['image_seq_length', 'num_image_token']) requireValue(root, key, tokens, formula);
  return tokens;
}

function checkPositions(
  tensors: FileTensors,
  { imageSize, patchSize }: ReturnType<typeof visionSizes>,
  source: string,
) {
  const [, rows = 0] = tensors.get(POSITIONS)?.shape ?? [];
  const expected = (imageSize / patchSize) ** 2 + 1;
  if (rows === expected) return;
  throw new UserError(
    `${source}: pictures of ${imageSize} pixels in patches of ${patchSize} need ${expected} positions, but "${POSITIONS}" ` +
      `has ${rows}. Use the config.json that belongs to these weights.`,
  );
}
