/** README.md of a model folder: what it is, how large, where it comes from, how to use it. */
import type { ModelMeta } from '../../checkpoints/model-meta.js';
import { byteCount, type TensorOutput } from '../../io/tensor-output.js';
import { bytesText } from '../../machine.js';
import type { ModelConfig } from './model-config.js';

/** Facts of a card that neither the weights nor meta.json hold. */
export interface CardFacts {
  /** The model's kind with its source: 'GSVA model (…)'. */
  readonly kind: string;
  /** Lines about its networks. */
  readonly networks: readonly string[];
}

const KINDS: Readonly<Record<string, string>> = {
  gsva: 'GSVA model (generalized referring segmentation by a multimodal LLM, Xia et al., CVPR 2024)',
  lisa: 'LISA model (reasoning segmentation by a multimodal LLM, Lai et al., CVPR 2024)',
};

/** Card of a model of LLaVA and SAM. */
export function modelCard(config: ModelConfig, meta: ModelMeta, tensors: readonly TensorOutput[]): string {
  const { clip, llm, sam, lora, system } = config;
  const networks = [
    `F_V1: CLIP, ${clip.numHiddenLayers} layers of ${clip.hiddenSize}, ${clip.imageSize} pixels`,
    `F_LLM: LLaMA, ${llm.numHiddenLayers} layers of ${llm.hiddenSize}, ${llm.vocabSize} tokens; ${rankText(lora)}`,
    `F_V2, F_mask: SAM, ${sam.depth} layers of ${sam.embedDim}, ${sam.imageSize} pixels`,
  ];
  return cardText({ kind: KINDS[system] ?? system, networks }, meta, tensors);
}

/** Card of a model of any system. */
export function cardText({ kind, networks }: CardFacts, meta: ModelMeta, tensors: readonly TensorOutput[]): string {
  const numbers = tensors.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  const bytes = tensors.reduce((sum, tensor) => sum + byteCount(tensor), 0);
  const types = [...new Set(tensors.map(({ dtype }) => dtype))].join(', ');
  const { knows, variant, details = {} } = meta;
  const facts = [
    `${(numbers / 1e6).toFixed(1)} M parameters, ${bytesText(bytes)} (${types})`,
    ...networks,
    `conversation: ${meta.conversation}; stage: ${meta.stage}`,
    ...(knows === undefined ? [] : [`knows: ${plainText(knows)}`]),
    ...(variant === undefined ? [] : [`variant: ${plainText(variant)}`]),
    ...Object.entries(details).map(([key, value]) => `${key}: ${plainText(value)}`),
  ];
  return `# ${plainText(meta.description)}

A ${kind} as a folder of GSVA for
TensorFlow.js: sizes in config.json, weights under the published names in safetensors.

${facts.map((fact) => `- ${fact}`).join('\n')}

\`\`\`sh
gsva segment --model FOLDER --image photo.jpg --expressions "what to find"
gsva inspect FOLDER
\`\`\`

The licences of the files that it was made from apply to it.
`;
}

/** Adapters in a card. */
export function rankText({ r }: { readonly r: number }): string {
  return r === 0 ? 'no LoRA' : `LoRA of rank ${r}`;
}

/** One line, whatever stands in it. */
function plainText(value: unknown): string {
  return (typeof value === 'string' ? value : JSON.stringify(value)).replace(/\s+/g, ' ').slice(0, 500);
}
