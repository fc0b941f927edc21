/** README.md of a model folder: what it is, how large, where it comes from, how to use it. */
import type { ModelConfig } from './model-config.js';
import { type TensorOutput, byteCount } from '../../io/tensor-output.js';
import { bytesText } from '../../machine.js';
import type { ModelMeta } from '../../checkpoints/model-meta.js';

export function modelCard(config: ModelConfig, meta: ModelMeta, tensors: readonly TensorOutput[]): string {
  const { clip, llm, sam, lora } = config;
  const numbers = tensors.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  const bytes = tensors.reduce((sum, tensor) => sum + byteCount(tensor), 0);
  const types = [...new Set(tensors.map(({ dtype }) => dtype))].join(', ');
  const details = Object.entries(meta.details ?? {}).map(([key, value]) => `- ${key}: ${plainText(value)}`);
  const { variant, knows } = meta;
  const known = knows === undefined ? [] : [`- knows: ${plainText(knows)}`];
  const differs = variant === undefined ? [] : [`- variant: ${plainText(variant)}`];
  return `# ${plainText(meta.description)}

A GSVA model (generalized referring segmentation by a multimodal LLM, Xia et al., CVPR 2024) as a folder of GSVA for
TensorFlow.js: sizes in config.json, weights under the published names in safetensors.

- ${(numbers / 1e6).toFixed(1)} M parameters, ${bytesText(bytes)} (${types})
- F_V1: CLIP, ${clip.numHiddenLayers} layers of ${clip.hiddenSize}, ${clip.imageSize} pixels
- F_LLM: LLaMA, ${llm.numHiddenLayers} layers of ${llm.hiddenSize}, ${llm.vocabSize} tokens; ${lora.r === 0 ? 'no LoRA' : `LoRA of rank ${lora.r}`}
- F_V2, F_mask: SAM, ${sam.depth} layers of ${sam.embedDim}, ${sam.imageSize} pixels
- conversation: ${meta.conversation}; stage: ${meta.stage}
${[...known, ...differs, ...details].join('\n')}

${CARD_USE}`;
}

/** End of every model card. */
export const CARD_USE = `\`\`\`sh
gsva segment --model FOLDER --image photo.jpg --expressions "what to find"
gsva inspect FOLDER
\`\`\`

The licences of the files that it was made from apply to it.
`;

/** One line, whatever stands in it. */
export function plainText(value: unknown): string {
  return (typeof value === 'string' ? value : JSON.stringify(value)).replace(/\s+/g, ' ').slice(0, 500);
}
