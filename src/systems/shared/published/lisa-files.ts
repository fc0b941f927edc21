/**
 * LISA's weights as its merge script writes them: LoRA folded in, everything but CLIP in one folder, LLaMA and the
 * projector in bfloat16, SAM and ψ in float32.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { mergeLora } from '../../../checkpoints/merge-lora.js';
import type { ModelConfig } from '../model-config.js';
import { readJson } from '../../../io/json/json-file.js';
import { type FileTensor, type FileTensors, inMemory } from '../../../io/file-tensor.js';
import { converted, named, type TensorOutput } from '../../../io/tensor-output.js';
import { nameInModel } from '../../../networks/lora.js';
import { IMAGE_END_TOKEN, IMAGE_START_TOKEN } from '../../../special-tokens.js';
import { IMAGE_PATCH_TOKEN, SEG_TOKEN } from '../decision-tokens.js';
import { llavaConfigJson } from './files.js';

const TOWER = 'model.vision_tower.';
/** Made after the rest is loaded, and so not rounded. */
const FLOAT32 = /^model\.(?:visual_model|text_hidden_fcs)\./;
const ADAPTER = /\.lora_[AB]\./;

/** @param tensors of a whole model, with or without LoRA */
export function lisaTensors(config: ModelConfig, tensors: FileTensors): TensorOutput[] {
  const typed = new Map<string, FileTensor>();
  for (const [published, tensor] of tensors) {
    const name = nameInModel(published);
    if (name.startsWith(TOWER)) continue;
    typed.set(name, ADAPTER.test(name) ? tensor : converted(tensor, FLOAT32.test(name) ? 'F32' : 'BF16', name));
  }
  const isAdapted = [...typed.keys()].some((name) => ADAPTER.test(name));
  const whole = isAdapted ? mergeLora(config, typed, 'each step').tensors : typed;
  const outputs = [...whole].map(([name, tensor]) => {
    return named(name, FLOAT32.test(name) ? tensor : converted(tensor, 'BF16', name));
  });
  return [...outputs, ...frequencies(config)].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Buffers of transformers 4.31: it expects them in the file. */
function frequencies({ llm }: ModelConfig): TensorOutput[] {
  const size = llm.hiddenSize / llm.numAttentionHeads;
  const data = Float32Array.from(
    { length: size / 2 },
    (_, i) => 1 / Math.fround(llm.ropeTheta ** Math.fround((2 * i) / size)),
  );
  const tensor = inMemory({ dtype: 'F32', shape: [data.length], data });
  return Array.from({ length: llm.numHiddenLayers }, (_, layer) => {
    return named(`model.layers.${layer}.self_attn.rotary_emb.inv_freq`, tensor);
  });
}

/** JSON files of the folder by name, without the weights' index. @param tokenizerDir whose files win where it has them */
export function lisaJsonFiles(config: ModelConfig, tokenizerDir: string): Record<string, unknown> {
  const { tokens, llm, sam, clip } = config;
  const ids = { bos_token_id: tokens.bos, eos_token_id: tokens.eos, pad_token_id: tokens.pad };
  const tower = 'openai/clip-vit-large-patch14';
  const [bos, eos, unk] = ['<s>', '</s>', '<unk>'].map(token) as [object, object, object];
  const files: Record<string, unknown> = {
    'config.json': {
      ...llavaConfigJson(config),
      architectures: ['LISAForCausalLM'],
      freeze_mm_mlp_adapter: true,
      image_aspect_ratio: 'square',
      image_grid_pinpoints: null,
      initializer_range: 0.02,
      mm_use_im_patch_token: false,
      mm_vision_select_feature: 'patch',
      mm_vision_tower: tower,
      num_key_value_heads: llm.numAttentionHeads,
      out_dim: sam.promptEmbedDim,
      pretrain_mm_mlp_adapter: null,
      pretraining_tp: 1,
      rope_scaling: null,
      torch_dtype: 'bfloat16',
      train_mask_decoder: true,
      transformers_version: '4.31.0',
      tune_mm_mlp_adapter: false,
      use_cache: false,
      vision_tower: tower,
      mm_hidden_size: clip.hiddenSize,
    },
    'generation_config.json': { _from_model_config: true, ...ids, transformers_version: '4.31.0' },
    'added_tokens.json': {
      [SEG_TOKEN]: tokens.seg,
      ...(tokens.imPatch === undefined ? {} : { [IMAGE_PATCH_TOKEN]: tokens.imPatch }),
      [IMAGE_START_TOKEN]: tokens.imStart,
      [IMAGE_END_TOKEN]: tokens.imEnd,
    },
    'special_tokens_map.json': { bos_token: bos, eos_token: eos, pad_token: '<unk>', unk_token: unk },
    'tokenizer_config.json': {
      add_bos_token: true,
      add_eos_token: false,
      clean_up_tokenization_spaces: false,
      legacy: true,
      model_max_length: 512,
      padding_side: 'right',
      sp_model_kwargs: {},
      tokenizer_class: 'LlamaTokenizer',
      bos_token: { __type: 'AddedToken', ...bos },
      eos_token: { __type: 'AddedToken', ...eos },
      unk_token: { __type: 'AddedToken', ...unk },
    },
  };
  for (const name of ['special_tokens_map.json', 'tokenizer_config.json']) {
    const path = join(tokenizerDir, name);
    if (existsSync(path)) files[name] = readJson(path, 'the tokenizer');
  }
  return files;
}

/** A full entry: with a bare string transformers 4.31 would strip white space next to the token. */
function token(content: string): Record<string, unknown> {
  return { content, lstrip: false, normalized: true, rstrip: false, single_word: false };
}
