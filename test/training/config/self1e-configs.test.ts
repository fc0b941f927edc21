/** configs/self1e against the published values, typed in here once more; and what they would train. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { DATASET_NAMES } from '../../../src/data/dataset-registry.js';
import { startDryRun } from '../../../src/engine/dry-run.js';
import * as tf from '../../../src/engine/tf.js';
import { SELF1E_BASES } from '../../../src/systems/catalogue/self1e-models.js';
import { systemNamed } from '../../../src/systems/index.js';
import { readExperimentConfig } from '../../../src/training/config/experiment-config.js';
import { runLength, trainerOptions } from '../../../src/training/loop/run-length.js';
import { Schedule } from '../../../src/training/loop/schedule.js';
import { trainableVariables } from '../../../src/training/trainable.js';

const DIR = join('configs', 'self1e');
const GPUS = 4;

const SIZES = {
  '2b': { width: 1536, mlp: 8960, heads: 12, shared: 2, base: SELF1E_BASES['2B'] },
  '8b': { width: 3584, mlp: 18944, heads: 28, shared: 4, base: SELF1E_BASES['8B'] },
} as const;
const VERSIONS = {
  '': { rates: { sem_seg: 1, refer_seg: 1, reason_seg: 1, vqa: 1 } },
  '-seg': { rates: { sem_seg: 6, refer_seg: 20, reason_seg: 6, vqa: 1 } },
} as const;
type Size = keyof typeof SIZES;
const CASES = Object.keys(SIZES).flatMap((size) =>
  Object.keys(VERSIONS).map((version) => [size, version] as const),
) as (readonly [Size, keyof typeof VERSIONS])[];

/** As in a fresh clone: no weights are there. */
const read = (name: string) => readExperimentConfig(join(DIR, `${name}.json5`), [], { forPlan: true });

test('there is a file for each size and version, and no other', () => {
  const files = readdirSync(DIR).filter((name) => name.endsWith('.json5'));
  expect(files.sort()).toEqual(CASES.map(([size, version]) => `${size}${version}.json5`).sort());
});

describe.each(CASES)('%s%s', (size, version) => {
  const config = read(`${size}${version}`);
  const { width, mlp, heads, shared } = SIZES[size];

  test('the model: sizes, LoRA on both networks, the loss, the tokens', async () => {
    expect(config.model).toMatchObject({
      system: 'self1e',
      vision: { hiddenSize: 1024, numHiddenLayers: 24, numAttentionHeads: 16, imageSize: 448, patchSize: 14 },
      llm: { hiddenSize: width, intermediateSize: mlp, numHiddenLayers: 28, numAttentionHeads: heads },
      lora: { r: 128, alpha: 256, dropout: 0.05 },
      loss: { ce: 1, bce: 2, dice: 0.5 },
      refill: { retaining: 'self-replication', amplifier: true },
    });
    expect(config.model.llm).toMatchObject({ numKeyValueHeads: shared, vocabSize: 151_676, attentionBias: true });
    expect(config.model.lora.targets).toHaveLength(7);
    expect(config.model.lora).toHaveProperty('visionTargets', ['attn.qkv', 'attn.proj', 'mlp.fc1', 'mlp.fc2']);
    const { ids } = (await systemNamed('self1e', 'a test')).vocabulary(config.model, {});
    expect(ids.map(({ id }) => id)).toEqual([151_674, 151_675, 151_667, 151_665, 151_666, 151_644, 151_645]);
    expect([config.stage, config.conversation, config.frozenWeights]).toEqual(['grounding', 'internvl2_5', 'bf16']);
    expect(config.maxLength).toBe(512 - 255);
  });

  test('the data: rates, thinned sets, a segmentation at the end of each micro-batch', () => {
    const { data } = config;
    if (data.kind !== 'repeated') throw new Error('repeated lists');
    expect(DATASET_NAMES).toEqual(expect.arrayContaining([...data.sets]));
    expect(data).toMatchObject({ ...VERSIONS[version], expressionsPerSample: 3, lastOfBatch: 'segmentation' });
    expect(data.sets).toHaveLength(14);
    expect(data.sets).not.toContain('refclef');
    expect(data.most).toEqual({ cocostuff: 30_000, paco_lvis: 30_000, vqav2: 100_000, gqa: 100_000 });
  });

  test('batches, optimizer, schedule: the first two updates have rate 0', () => {
    const { training } = config;
    expect(training).toMatchObject({ batchSize: 5, accumulation: 8, accumulate: 'mean' });
    expect(training.optimizer).toEqual({ beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, clipNorm: 1 });
    expect(runLength(training, 561_000, GPUS)).toMatchObject({ samplesPerUpdate: 160, updates: 3507 });
    const schedule = new Schedule(trainerOptions(training, 561_000, GPUS).schedule);
    const rates = [0, 1, 2, 101].map((update) => schedule.learningRateAt(update));
    expect(rates).toEqual([0, 0, expect.closeTo(1e-6, 12), expect.closeTo(1e-4, 12)]);
    expect(schedule.learningRateAt(3506)).toBeLessThan(1e-7);
  });
});

test.each(Object.entries(SIZES))('%s: as many numbers are there and trained as its sizes say', async (name, size) => {
  await startDryRun('fused');
  const { model } = read(name);
  const network = (await systemNamed('self1e', 'a test')).build(model);
  try {
    network.build();
    const { width, mlp, base } = size;
    const sizes: Record<string, number> = {};
    for (const [variable, { size: numbers }] of trainableVariables(network, 'grounding')) {
      const part = ['vision_model', 'lora_', 'embed_tokens', 'lm_head', 'mlp1', 'combine_decode_proj'].find((part) =>
        variable.includes(part),
      );
      sizes[part ?? variable] = (sizes[part ?? variable] ?? 0) + numbers;
    }
    const keys = (width / size.heads) * size.shared;
    const lora = 128 * 28 * (2 * (width + width) + 2 * (width + keys) + 3 * (width + mlp));
    expect(sizes).toEqual({
      vision_model: 128 * 24 * (1024 + 3072 + (1024 + 1024) + 2 * (1024 + 4096)),
      lora_: lora,
      embed_tokens: 151_676 * width,
      lm_head: 151_676 * width,
      mlp1: 2 * 4096 + 4096 * width + width + width * width + width,
      combine_decode_proj: 12 * width * width + 12 * width,
    });
    const trained = Object.values(sizes).reduce((sum, numbers) => sum + numbers, 0);
    expect((trained / 1e9).toFixed(2)).toBe(name === '2b' ? '0.70' : '1.64');
    const all = [...network.namedParameters()].filter(([parameter]) => !parameter.includes('lora_'));
    const numbers = all.map(([, { variable }]) => tf.util.sizeFromShape(variable.shape as number[]));
    expect(numbers.reduce((sum, own) => sum + own, 0)).toBe(base.numbers.all);
  } finally {
    network.dispose();
  }
});
