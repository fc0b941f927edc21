/** Sizes of small models, and the names and shapes of the published checkpoint at the sizes of fixtures/gsva-tiny. */
import { readFileSync } from 'node:fs';
import { type ModelConfig, parseModelConfig } from '../../src/systems/shared/model-config.js';
import { readSafetensors } from '../../src/io/safetensors/safetensors.js';
import { LlavaSam } from '../../src/systems/shared/llava-sam.js';
import { PUBLISHED_PREFIX } from '../../src/checkpoints/weights.js';
import { Random } from '../../src/random.js';
import { fixture } from './fixtures.js';
import { buildRandom } from './tensors.js';

/** The smallest model in which every part does its work: 4 vision tokens, 4×4 image embeddings, 16×16 masks. */
export const SMALL: ModelConfig = {
  system: 'gsva',
  clip: {
    hiddenSize: 8,
    intermediateSize: 12,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    imageSize: 8,
    patchSize: 4,
    hiddenAct: 'quick_gelu',
    layerNormEps: 1e-5,
    selectLayer: -2,
  },
  projector: 'linear',
  llm: {
    vocabSize: 24,
    hiddenSize: 12,
    intermediateSize: 16,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    maxPositionEmbeddings: 64,
    rmsNormEps: 1e-6,
    ropeTheta: 10000,
  },
  sam: {
    imageSize: 32,
    patchSize: 8,
    embedDim: 8,
    depth: 2,
    numHeads: 2,
    globalAttnIndexes: [1],
    windowSize: 3,
    promptEmbedDim: 16,
    decoderDepth: 2,
    decoderMlpDim: 16,
    decoderHeads: 2,
    iouHeadHiddenDim: 8,
    maskInChans: 8,
  },
  lora: { r: 2, alpha: 4, targets: ['q_proj', 'v_proj'], dropout: 0 },
  tokens: { seg: 20, rej: 21, imStart: 22, imEnd: 23, image: -200, ignore: -100, pad: 0, bos: 1, eos: 2 },
  loss: { ce: 1, bce: 2, dice: 0.5 },
};

/** A model with random weights everywhere, LoRA's B too. */
export function smallModel(seed: number, config: ModelConfig = SMALL): LlavaSam {
  return buildRandom(new LlavaSam(config), new Random(seed));
}

/** The sizes of fixtures/gsva-tiny. */
export const TINY: ModelConfig = parseModelConfig(
  JSON.parse(readFileSync(fixture('gsva-tiny', 'config.json'), 'utf8')),
  'gsva-tiny/config.json',
);

/** Names (below `prefix`) and PyTorch shapes of the recorded checkpoint. */
export function publishedShapes(prefix: string): Record<string, readonly number[]> {
  const start = PUBLISHED_PREFIX + prefix;
  const { tensors } = readSafetensors(fixture('gsva-tiny', 'model.safetensors'));
  const below = [...tensors].filter(([name]) => name.startsWith(start));
  return Object.fromEntries(below.map(([name, { shape }]) => [name.slice(start.length), shape]));
}
