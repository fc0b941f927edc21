/** The small model with a real vocabulary, and a configuration file that trains it within a second. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type ModelConfig, modelConfigToJson } from '../../src/systems/shared/model-config.js';
import { readTokenizer } from '../../src/data/read-tokenizer.js';
import type { Tokenizer } from '../../src/data/text/tokenizer.js';
import { ADDED_TOKENS } from '../../src/systems/shared/decision-tokens.js';
import { SMALL } from './small-model.js';

export const TOKENIZER_DIR = resolve('configs', 'tokenizers', 'synth');

/** SMALL with the 600 pieces and 4 added tokens of configs/tokenizers/synth. */
export const SMALL_TEXT: ModelConfig = {
  ...SMALL,
  llm: { ...SMALL.llm, vocabSize: 604, maxPositionEmbeddings: 512 },
  tokens: { ...SMALL.tokens, seg: 600, rej: 601, imStart: 602, imEnd: 603 },
};

export function smallTokenizer(): Tokenizer {
  const tokenizer = readTokenizer(TOKENIZER_DIR);
  tokenizer.addTokens(ADDED_TOKENS);
  return tokenizer;
}

type Json = Record<string, unknown>;

/** A valid configuration of a GSVA run on `data`, as JSON; `changes` replace its top-level keys. */
export function smallConfig(data: string, changes: Json = {}): Json {
  return {
    stage: 'gsva',
    description: 'a small run',
    model: modelConfigToJson(SMALL_TEXT),
    start: null,
    tokenizer: TOKENIZER_DIR,
    conversation: 'plain',
    maxLength: 400,
    data: { kind: 'grefcoco', dir: data, expressionsPerSample: 3, validationImages: 2, generateImages: 1 },
    training: {
      seed: 1,
      batchSize: 2,
      accumulation: 1,
      prefetch: 2,
      validateEvery: 3,
      checkpointEvery: 2,
      bestMetric: { name: 'gIoU', mode: 'max' },
      optimizer: { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, clipNorm: 1 },
      schedule: { learningRate: 1e-3, warmupUpdates: 1, totalUpdates: 3, decay: 'linear' },
    },
    ...changes,
  };
}

/** Writes it with a comment in front, which JSON5 allows and JSON does not. */
export function writeConfig(path: string, config: Json): string {
  writeFileSync(path, `// for a test\n${JSON.stringify(config)}\n`);
  return path;
}
