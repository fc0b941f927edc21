/** A small SELF1E: tiles of 16 pixels with 4 × 4 patches and 2 × 2 tokens, four heads of queries on two of keys. */
import { readSelf1eConfig, type Self1eConfig } from '../../src/systems/self1e/config.js';
import { Self1e } from '../../src/systems/self1e/model.js';
import { Random } from '../../src/random.js';
import { buildRandom } from './tensors.js';

export const SMALL_SELF1E_JSON = {
  system: 'self1e',
  vision: {
    ...{ hidden_size: 8, intermediate_size: 12, num_hidden_layers: 2, num_attention_heads: 2 },
    ...{ image_size: 16, patch_size: 4, layer_norm_eps: 1e-6 },
  },
  llm: {
    ...{ vocab_size: 24, hidden_size: 16, intermediate_size: 20, num_hidden_layers: 2, num_attention_heads: 4 },
    ...{ num_key_value_heads: 2, attention_bias: true },
    ...{ max_position_embeddings: 96, rms_norm_eps: 1e-6, rope_theta: 10000 },
  },
  refill: { retaining: 'self-replication', amplifier: true },
  lora: {
    ...{ r: 2, alpha: 4, dropout: 0 },
    targets: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
    vision_targets: ['attn.qkv', 'attn.proj', 'mlp.fc1', 'mlp.fc2'],
  },
  tokens: {
    ...{ seg: 20, segt: 21, image_context: 17, image_start: 18, image_end: 19 },
    ...{ image: -200, ignore: -100, pad: 0, begin: 22, end: 23 },
  },
  loss: { ce: 1, bce: 2, dice: 0.5 },
  tiles: { most: 1, thumbnail: false },
};

export const SMALL_SELF1E: Self1eConfig = readSelf1eConfig(SMALL_SELF1E_JSON, 'small-self1e');

/** A model with random weights everywhere, LoRA's B too. */
export function smallSelf1e(seed: number, changes: Partial<Self1eConfig> = {}): Self1e {
  return buildRandom(new Self1e({ ...SMALL_SELF1E, ...changes }), new Random(seed));
}
