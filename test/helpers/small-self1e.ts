/** Sizes of the smallest SELF1E in which every part does its work: 4 vision tokens a picture, masks of 16 × 16. */
import { readSelf1eConfig, type Self1eConfig } from '../../src/systems/self1e/config.js';

export const SMALL_SELF1E: Self1eConfig = readSelf1eConfig(
  {
    system: 'self1e',
    vision: {
      ...{ hidden_size: 8, intermediate_size: 12, num_hidden_layers: 2, num_attention_heads: 2 },
      ...{ image_size: 16, patch_size: 4, layer_norm_eps: 1e-6 },
    },
    llm: {
      ...{ vocab_size: 24, hidden_size: 16, intermediate_size: 20, num_hidden_layers: 2, num_attention_heads: 4 },
      ...{ num_key_value_heads: 2, attention_bias: true, max_position_embeddings: 128 },
      ...{ rms_norm_eps: 1e-6, rope_theta: 10000 },
    },
    refill: { retaining: 'self-replication', amplifier: true },
    lora: { r: 2, alpha: 4, dropout: 0, targets: ['q_proj', 'down_proj'], vision_targets: ['attn.qkv', 'mlp.fc2'] },
    tokens: {
      ...{ seg: 22, segt: 23, image_context: 21, image_start: 19, image_end: 20, image: -200, ignore: -100 },
      ...{ pad: 0, begin: 17, end: 18 },
    },
    loss: { ce: 1, bce: 2, dice: 0.5 },
    tiles: { most: 1, thumbnail: false },
  },
  'SMALL_SELF1E',
);
