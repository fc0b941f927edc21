/**
 * Sizes of a published GSVA: LLaVA's and CLIP's from their config.json, SAM's and LoRA's from the shapes of their weights,
 * and from config.json and adapter_config.json where transformers' SamModel and peft wrote one.
 */
import type { ClipConfig, LoraConfig, ProjectorType, SamConfig } from '../../../config.js';
import { UserError } from '../../../errors.js';
import type { FileTensors } from '../../../io/file-tensor.js';
import type { JsonReader } from '../../../io/json/json-reader.js';
import type { AdapterFacts } from './adapter.js';
import { llamaConfig, requireValue, sizesIn } from './llama.js';
import { type ModelConfig, projectorOfWeights, type TokenIds } from '../model-config.js';

/** transformers leaves out of CLIP's config.json what equals these. */
const CLIP_DEFAULTS = {
  hidden_size: 768,
  intermediate_size: 3072,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  image_size: 224,
  patch_size: 32,
};
/** Heads of SAM's mask decoder, of every published SAM; no weight's shape shows them. */
const DECODER_HEADS = 8;
const PUBLISHED_DECODER_WIDTH = 256;
/** α of every published GSVA; no weight's shape shows it, and of their files none says it. */
const LORA_ALPHA = 16;
const LORA_DROPOUT = 0.05;
/** LoRA of a model without GSVA's own weights, which are drawn when it is trained. */
const LORA_START = { r: 8, alpha: LORA_ALPHA, targets: ['q_proj', 'v_proj'], dropout: LORA_DROPOUT };
/** Part of a trained model that no base has. */
export const PROMPT = 'model.text_hidden_fcs.0.0.weight';
const LOSS = { ce: 1, bce: 2, dice: 0.5 };

/**
 * Values that no file gives: refused where it cannot be taken from the published models.
 * @param samFile SAM's config.json, where there is one
 * @param given keys that the user sets
 */
export function refuseGuesses({ sam }: ModelConfig, samFile: JsonReader | null, given: readonly string[]): void {
  if (sam.promptEmbedDim === PUBLISHED_DECODER_WIDTH || given.includes('sam.decoder_heads')) return;
  if (decoderHeads(samFile) !== null) return;
  throw new UserError(
    `SAM's mask decoder is ${sam.promptEmbedDim} wide, the published ones ${PUBLISHED_DECODER_WIDTH} with ` +
      `${DECODER_HEADS} heads; its file does not say how many heads it has. Say it: --set sam.decoder_heads=N.`,
  );
}

/**
 * Sizes by the files that say them.
 * @param sam configuration of transformers' SamModel; sam_vit_*.pth has none
 * @param adapter facts of GSVA's weights as peft saves them
 * @param tensors of all parts, by our names
 */
export function publishedConfig(
  { llava, clip }: Readonly<Record<'llava' | 'clip', JsonReader>>,
  sam: JsonReader | null,
  adapter: AdapterFacts | null,
  tensors: FileTensors,
  tokens: TokenIds,
): ModelConfig {
  return {
    // GSVA alone refuses by a token.
    system: tokens.rej === undefined ? 'lisa' : 'gsva',
    clip: clipConfig(clip, llava),
    projector: projectorOf(tensors, llava),
    llm: llamaConfig(llava, shapeOf(tensors, 'model.embed_tokens.weight')[0] ?? 0),
    sam: samConfig(tensors, sam),
    lora: loraConfig(tensors, tokens, adapter),
    tokens,
    loss: LOSS,
  };
}

/** CLIPModel's config has the tower's sizes under "vision_config", CLIPVisionModel's at the top. */
function clipConfig(clip: JsonReader, llava: JsonReader): ClipConfig {
  const vision = clip.optional('vision_config') ?? clip;
  return {
    ...sizesIn(vision, CLIP_DEFAULTS),
    hiddenAct: vision.optional('hidden_act')?.string() ?? 'quick_gelu',
    layerNormEps: vision.optional('layer_norm_eps')?.number({ min: 0 }) ?? 1e-5,
    selectLayer: selectLayerOf(llava),
  };
}

/** Which hidden state of CLIP is taken, of its patches alone. */
function selectLayerOf(llava: JsonReader): number {
  llava.optional('vision_feature_select_strategy')?.oneOf(['default']);
  llava.optional('mm_vision_select_feature')?.oneOf(['patch']);
  const layers = ['mm_vision_select_layer', 'vision_feature_layer'].flatMap((key) => llava.optional(key) ?? []);
  const [first, second] = layers;
  if (first === undefined) return -2;
  const layer = first.integer();
  if (second !== undefined && second.value !== layer) second.fail(`${layer}, which "${first.path}" says`);
  return layer;
}

function projectorOf(tensors: FileTensors, llava: JsonReader): ProjectorType {
  llava.optional('projector_hidden_act')?.oneOf(['gelu']);
  const found = projectorOfWeights(tensors.keys());
  if (found !== null) return found;
  if (llava.optional('mm_projector_type')?.value === 'identity') return 'identity';
  throw new UserError(
    'Putting the model together: no mm_projector: this is LLaMA or Vicuna, not LLaVA. Name the folder of a LLaVA as --mllm ' +
      '(liuhaotian/llava-v1.5-7b, llava-hf/llava-1.5-7b-hf), whose projector and language model were trained together.',
  );
}

function samConfig(tensors: FileTensors, file: JsonReader | null): SamConfig {
  const at = (name: string, axis: number): number => shapeOf(tensors, `model.visual_model.${name}`)[axis] ?? 0;
  const embedDim = at('image_encoder.pos_embed', 3);
  const grid = at('image_encoder.pos_embed', 1);
  const patchSize = at('image_encoder.patch_embed.proj.weight', 2);
  const depth = countOf(tensors, /^model\.visual_model\.image_encoder\.blocks\.(\d+)\./);
  // A table of relative positions has 2·side - 1 rows: those of a whole image are global, the others are windows.
  const sides = Array.from({ length: depth }, (_, i) => (at(`image_encoder.blocks.${i}.attn.rel_pos_h`, 0) + 1) / 2);
  const config: SamConfig = {
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
    decoderHeads: decoderHeads(file)?.integer({ min: 1 }) ?? DECODER_HEADS,
    iouHeadHiddenDim: at('mask_decoder.iou_prediction_head.layers.0.weight', 0),
    maskInChans: at('prompt_encoder.mask_downscaling.3.weight', 0),
  };
  if (file !== null) checkSam(config, file);
  return config;
}

function decoderHeads(samFile: JsonReader | null): JsonReader | null {
  return samFile?.optional('mask_decoder_config')?.optional('num_attention_heads') ?? null;
}

/** SamModel's config.json has to agree with the shapes and with what is computed. */
function checkSam(config: SamConfig, file: JsonReader): void {
  file.optional('model_type')?.oneOf(['sam']);
  const isWindowless = config.globalAttnIndexes.length === config.depth;
  const said: Readonly<Record<string, Readonly<Record<string, number | string | boolean>>>> = {
    vision_config: {
      hidden_size: config.embedDim,
      num_hidden_layers: config.depth,
      num_attention_heads: config.numHeads,
      image_size: config.imageSize,
      patch_size: config.patchSize,
      ...(isWindowless ? {} : { window_size: config.windowSize }),
      hidden_act: 'gelu',
      use_rel_pos: true,
      use_abs_pos: true,
      layer_norm_eps: 1e-6,
    },
    mask_decoder_config: {
      hidden_size: config.promptEmbedDim,
      num_hidden_layers: config.decoderDepth,
      mlp_dim: config.decoderMlpDim,
      hidden_act: 'relu',
      attention_downsample_rate: 2,
      num_multimask_outputs: 3,
    },
  };
  for (const [section, values] of Object.entries(said)) {
    for (const [key, expected] of Object.entries(values)) {
      const what = `${String(expected)}, as its weights and SAM have it`;
      requireValue(file.optional(section), key, expected, what);
    }
  }
}

function loraConfig(tensors: FileTensors, { rej }: TokenIds, adapter: AdapterFacts | null): LoraConfig {
  const adapters = [...tensors.keys()].flatMap((name) => {
    const target = /\.(\w+)\.lora_A\.default\.weight$/.exec(name)?.[1];
    return target === undefined ? [] : [{ name, target }];
  });
  const [first] = adapters;
  if (first === undefined) {
    // A trained model of LISA whose adapter is folded in, as it is published.
    return rej === undefined && tensors.has(PROMPT) ? { ...LORA_START, r: 0 } : LORA_START;
  }
  const r = shapeOf(tensors, first.name)[0] ?? 0;
  const other = adapters.find(({ name }) => shapeOf(tensors, name)[0] !== r);
  if (other !== undefined) {
    throw new UserError(
      `Putting the model together: "${first.name}" is of rank ${r}, "${other.name}" of ${shapeOf(tensors, other.name)[0] ?? 0}; ` +
        'one rank for all adapters is supported. Merge the adapter with peft (merge_and_unload).',
    );
  }
  if (adapter !== null && adapter.r !== r) {
    throw new UserError(`${adapter.source}: "r" is ${adapter.r}, but "${first.name}" is of rank ${r}.`);
  }
  const { alpha = LORA_ALPHA, dropout = LORA_DROPOUT } = adapter ?? {};
  return { r, alpha, targets: [...new Set(adapters.map(({ target }) => target))], dropout };
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
