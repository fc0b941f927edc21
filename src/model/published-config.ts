/**
 * Sizes of a published GSVA: LLaVA's and CLIP's from their config.json, SAM's and LoRA's from the shapes of their
 * weights, since those files say nothing else.
 */
import type { ClipConfig, LlmConfig, LoraConfig, ModelConfig, ProjectorType, SamConfig, TokenIds } from '../config.js';
import { UserError } from '../errors.js';
import type { FileTensors } from '../io/file-tensor.js';
import type { JsonReader } from '../io/json-reader.js';

/** transformers leaves out of CLIP's config.json what equals these. */
const CLIP_DEFAULTS = {
  hidden_size: 768,
  intermediate_size: 3072,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  image_size: 224,
  patch_size: 32,
  layer_norm_eps: 1e-5,
};
/** Heads of SAM's mask decoder: of every published SAM; no weight's shape shows them. */
const DECODER_HEADS = 8;
/** α of every published GSVA; no weight's shape shows it. */
const LORA_ALPHA = 16;
const LORA_DROPOUT = 0.05;
/** Of a model without GSVA's own weights, which are drawn when it is trained. */
const LORA_START = { r: 8, targets: ['q_proj', 'v_proj'] };
const LOSS = { ce: 1, bce: 2, dice: 0.5 };

/** @param tensors of all parts, by our names */
export function publishedConfig(
  llava: JsonReader,
  clip: JsonReader,
  tensors: FileTensors,
  tokens: TokenIds,
): ModelConfig {
  return {
    clip: clipConfig(clip, llava),
    projector: projectorOf(tensors),
    llm: llmConfig(llava, tensors),
    sam: samConfig(tensors),
    lora: loraConfig(tensors),
    tokens,
    loss: LOSS,
  };
}

function llmConfig(llava: JsonReader, tensors: FileTensors): LlmConfig {
  const count = (key: string): number => llava.key(key).integer({ min: 1 });
  const heads = count('num_attention_heads');
  const keyHeads = llava.optional('num_key_value_heads')?.integer({ min: 1 }) ?? heads;
  if (keyHeads !== heads) llava.key('num_key_value_heads').fail(`${heads} (grouped queries are not supported)`);
  if (llava.optional('rope_scaling') !== null)
    llava.key('rope_scaling').fail('null (scaled positions are not supported)');
  llava.optional('hidden_act')?.oneOf(['silu']);
  return {
    vocabSize: shapeOf(tensors, 'model.embed_tokens.weight')[0] ?? 0,
    hiddenSize: count('hidden_size'),
    intermediateSize: count('intermediate_size'),
    numHiddenLayers: count('num_hidden_layers'),
    numAttentionHeads: heads,
    maxPositionEmbeddings: llava.optional('max_position_embeddings')?.integer({ min: 1 }) ?? 2048,
    rmsNormEps: llava.key('rms_norm_eps').number({ min: 0 }),
    ropeTheta: llava.optional('rope_theta')?.number({ min: 1 }) ?? 10000,
  };
}

/** CLIPModel's config has the tower's sizes under "vision_config", CLIPVisionModel's at the top. */
function clipConfig(clip: JsonReader, llava: JsonReader): ClipConfig {
  const vision = clip.optional('vision_config') ?? clip;
  const count = (key: keyof typeof CLIP_DEFAULTS): number =>
    vision.optional(key)?.integer({ min: 1 }) ?? CLIP_DEFAULTS[key];
  return {
    hiddenSize: count('hidden_size'),
    intermediateSize: count('intermediate_size'),
    numHiddenLayers: count('num_hidden_layers'),
    numAttentionHeads: count('num_attention_heads'),
    imageSize: count('image_size'),
    patchSize: count('patch_size'),
    hiddenAct: vision.optional('hidden_act')?.string() ?? 'quick_gelu',
    layerNormEps: vision.optional('layer_norm_eps')?.number({ min: 0 }) ?? CLIP_DEFAULTS.layer_norm_eps,
    selectLayer: llava.optional('mm_vision_select_layer')?.integer() ?? -2,
  };
}

function projectorOf(tensors: FileTensors): ProjectorType {
  if (tensors.has('model.mm_projector.weight')) return 'linear';
  return tensors.has('model.mm_projector.0.weight') ? 'mlp2x_gelu' : 'identity';
}

function samConfig(tensors: FileTensors): SamConfig {
  const at = (name: string, axis: number): number => shapeOf(tensors, `model.visual_model.${name}`)[axis] ?? 0;
  const embedDim = at('image_encoder.pos_embed', 3);
  const grid = at('image_encoder.pos_embed', 1);
  const patchSize = at('image_encoder.patch_embed.proj.weight', 2);
  const depth = countOf(tensors, /^model\.visual_model\.image_encoder\.blocks\.(\d+)\./);
  // A table of relative positions has 2·side - 1 rows: those of a whole image are global, the others are windows.
  const sides = Array.from({ length: depth }, (_, i) => (at(`image_encoder.blocks.${i}.attn.rel_pos_h`, 0) + 1) / 2);
  return {
    imageSize: grid * patchSize,
    patchSize,
    embedDim,
    depth,
    numHeads: embedDim / at('image_encoder.blocks.0.attn.rel_pos_h', 1),
    globalAttnIndexes: sides.flatMap((side, i) => (side === grid ? [i] : [])),
    windowSize: sides.find((side) => side !== grid) ?? grid,
    promptEmbedDim: at('image_encoder.neck.0.weight', 0),
    decoderDepth: countOf(tensors, /^model\.visual_model\.mask_decoder\.transformer\.layers\.(\d+)\./),
    decoderMlpDim: at('mask_decoder.transformer.layers.0.mlp.lin1.weight', 0),
    decoderHeads: DECODER_HEADS,
    iouHeadHiddenDim: at('mask_decoder.iou_prediction_head.layers.0.weight', 0),
    maskInChans: at('prompt_encoder.mask_downscaling.3.weight', 0),
  };
}

function loraConfig(tensors: FileTensors): LoraConfig {
  const adapters = [...tensors.keys()].flatMap((name) => {
    const target = /\.(\w+)\.lora_A\.default\.weight$/.exec(name)?.[1];
    return target === undefined ? [] : [{ name, target }];
  });
  const [first] = adapters;
  if (first === undefined) return { ...LORA_START, alpha: LORA_ALPHA, dropout: LORA_DROPOUT };
  return {
    r: shapeOf(tensors, first.name)[0] ?? 0,
    alpha: LORA_ALPHA,
    targets: [...new Set(adapters.map(({ target }) => target))],
    dropout: LORA_DROPOUT,
  };
}

function shapeOf(tensors: FileTensors, name: string): readonly number[] {
  const tensor = tensors.get(name);
  if (tensor !== undefined) return tensor.shape;
  throw new UserError(`Putting the model together: none of the files has "${name}". Check which files were named.`);
}

/** 1 + the highest number that the pattern finds in a name. */
function countOf(tensors: FileTensors, pattern: RegExp): number {
  const numbers = [...tensors.keys()].map((name) => Number(pattern.exec(name)?.[1] ?? -1));
  return 1 + numbers.reduce((most, number) => Math.max(most, number), -1);
}
