/** Sizes of the published models of SELF1E (reference-self1e.md), as config.json of a folder of ours has them. */

const LLM = {
  '2B': { hidden_size: 1536, intermediate_size: 8960, num_attention_heads: 12, num_key_value_heads: 2 },
  '8B': { hidden_size: 3584, intermediate_size: 18944, num_attention_heads: 28, num_key_value_heads: 4 },
} as const;

/** @param rank of the adapters on every projection; 0: merged */
export function self1eSizes(size: keyof typeof LLM, rank = 0) {
  const vision = { hidden_size: 1024, intermediate_size: 4096, num_hidden_layers: 24, num_attention_heads: 16 };
  const llm = { ...LLM[size], vocab_size: 151676, num_hidden_layers: 28, attention_bias: true, rope_theta: 1e6 };
  const targets = 'q_proj k_proj v_proj o_proj gate_proj up_proj down_proj'.split(' ');
  const visionTargets = 'attn.qkv attn.proj mlp.fc1 mlp.fc2'.split(' ');
  return {
    system: 'self1e',
    vision: { ...vision, image_size: 448, patch_size: 14, layer_norm_eps: 1e-6 },
    llm: { ...llm, max_position_embeddings: 32768, rms_norm_eps: 1e-6 },
    refill: { retaining: 'self-replication', amplifier: true },
    lora: { r: rank, alpha: 256, dropout: 0.05, targets, vision_targets: visionTargets },
    tokens: {
      ...{ seg: 151674, segt: 151675, image_context: 151667, image_start: 151665, image_end: 151666 },
      ...{ image: -200, ignore: -100, pad: 0, begin: 151644, end: 151645 },
    },
    loss: { ce: 1, bce: 2, dice: 0.5 },
    tiles: { most: 1, thumbnail: false },
  };
}
