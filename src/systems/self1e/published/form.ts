/** Published form of SELF1E: one folder as InternVL3's, adapters merged, everything in bfloat16. */
import { mergeLora } from '../../../checkpoints/merge-lora.js';
import type { ModelMeta } from '../../../checkpoints/model-meta.js';
import { UserError } from '../../../errors.js';
import type { FileTensor } from '../../../io/file-tensor.js';
import { converted, named, type TensorOutput } from '../../../io/tensor-output.js';
import { nameInModel } from '../../../networks/lora.js';
import type { ExportRequest, PublishedForm, WholeModel } from '../../published-files.js';
import { cardText, rankText } from '../../shared/model-card.js';
import type { Self1eConfig } from '../config.js';
import { PUBLISHED_CLASS } from './config.js';
import { openSelf1e } from './model.js';

export const SELF1E_FORM: PublishedForm = { prefix: '', open: openSelf1e, card, pieces };

const ADAPTER = /\.lora_[AB]\./;

function pieces(model: WholeModel, { format }: ExportRequest) {
  const { tokenizerDir, source } = model;
  if (format !== undefined) {
    throw new UserError(
      `Exporting ${source}: SELF1E is published in one form, a folder as InternVL3's; the format ${format} cannot hold it. ` +
        'Leave out --format.',
    );
  }
  const config = model.config as Self1eConfig;
  const json = { 'config.json': internVlConfigJson(config) };
  const piece = { name: '', json, tokenizer: tokenizerDir, tensors: publishedTensors(config, model) };
  return { format: 'self1e', pieces: [{ ...piece, as: 'safetensors' } as const] };
}

/** As the published code saves them: W + (α/r)·B·A, every step rounded in float32 as peft rounds it, then bfloat16. */
function publishedTensors(config: Self1eConfig, { tensors }: WholeModel): TensorOutput[] {
  const bare = new Map<string, FileTensor>([...tensors].map(([name, tensor]) => [nameInModel(name), tensor]));
  const isAdapted = [...bare.keys()].some((name) => ADAPTER.test(name));
  const whole = isAdapted ? mergeLora(config, bare, 'each step').tensors : bare;
  const outputs = [...whole].map(([name, tensor]) => named(name, converted(tensor, 'BF16', name)));
  return outputs.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** config.json of OpenGVLab's InternVL3 with the enlarged vocabulary. */
function internVlConfigJson({ vision, llm, tokens }: Self1eConfig): Record<string, unknown> {
  return {
    architectures: [PUBLISHED_CLASS],
    model_type: 'internvl_chat',
    torch_dtype: 'bfloat16',
    downsample_ratio: 0.5,
    dynamic_image_size: true,
    force_image_size: vision.imageSize,
    max_dynamic_patch: 12,
    min_dynamic_patch: 1,
    pad2square: false,
    ps_version: 'v2',
    select_layer: -1,
    template: 'internvl2_5',
    tie_word_embeddings: false,
    use_backbone_lora: 0,
    use_llm_lora: 0,
    use_thumbnail: true,
    llm_config: {
      architectures: ['Qwen2ForCausalLM'],
      model_type: 'qwen2',
      attention_dropout: 0,
      // <|endoftext|>, which stands right before <|im_start|> in Qwen2's vocabulary.
      bos_token_id: tokens.begin - 1,
      eos_token_id: tokens.begin - 1,
      hidden_act: 'silu',
      hidden_size: llm.hiddenSize,
      initializer_range: 0.02,
      intermediate_size: llm.intermediateSize,
      max_position_embeddings: llm.maxPositionEmbeddings,
      max_window_layers: 70,
      num_attention_heads: llm.numAttentionHeads,
      num_hidden_layers: llm.numHiddenLayers,
      num_key_value_heads: llm.numKeyValueHeads ?? llm.numAttentionHeads,
      rms_norm_eps: llm.rmsNormEps,
      // As published; without effect up to max_position_embeddings.
      rope_scaling: { factor: 2, rope_type: 'dynamic', type: 'dynamic' },
      rope_theta: llm.ropeTheta,
      // A key of ours: without it, a published SELF1E has rounded ones.
      rope_frequencies: llm.ropeFrequencies ?? 'f32',
      sliding_window: null,
      tie_word_embeddings: false,
      use_cache: true,
      use_sliding_window: false,
      vocab_size: llm.vocabSize,
    },
    vision_config: {
      architectures: ['InternVisionModel'],
      model_type: 'intern_vit_6b',
      attention_dropout: 0,
      drop_path_rate: 0,
      dropout: 0,
      hidden_act: 'gelu',
      hidden_size: vision.hiddenSize,
      image_size: vision.imageSize,
      initializer_factor: 0.1,
      initializer_range: 1e-10,
      intermediate_size: vision.intermediateSize,
      layer_norm_eps: vision.layerNormEps,
      norm_type: 'layer_norm',
      num_attention_heads: vision.numAttentionHeads,
      num_channels: 3,
      num_hidden_layers: vision.numHiddenLayers,
      patch_size: vision.patchSize,
      qk_normalization: false,
      qkv_bias: true,
      use_flash_attn: false,
    },
  };
}

/** README.md of a folder of ours. */
function card(config: unknown, meta: ModelMeta, tensors: readonly TensorOutput[]): string {
  const { vision, llm, lora } = config as Self1eConfig;
  const kind = 'SELF1E model (masks from a multimodal LLM without a mask decoder, Zhang et al., CVPR 2026)';
  const networks = [
    `InternViT: ${vision.numHiddenLayers} layers of ${vision.hiddenSize}, ${vision.imageSize} pixels`,
    `Qwen2: ${llm.numHiddenLayers} layers of ${llm.hiddenSize}, ${llm.vocabSize} tokens; ${rankText(lora)}`,
  ];
  return cardText({ kind, networks }, meta, tensors);
}
