/** configs/paper against the paper's Table 7 and appendices B, C and E, typed in here once more; and what they would train. */
import type { ModelConfig } from '../../../src/systems/shared/model-config.js';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { DATASET_NAMES, REFERRING_NAMES } from '../../../src/data/dataset-registry.js';
import { startDryRun } from '../../../src/engine/dry-run.js';
import { LlavaSam } from '../../../src/systems/shared/llava-sam.js';
import { type ExperimentConfig, readExperimentConfig } from '../../../src/training/config/experiment-config.js';
import { runLength, trainerOptions } from '../../../src/training/loop/run-length.js';
import { Schedule } from '../../../src/training/loop/schedule.js';
import type { SetsData } from '../../../src/training/config/data-config.js';
import { trainableVariables } from '../../../src/training/trainable.js';
import { GSVA_VARIANT } from '../../../src/systems/shared/variant.js';

const DIR = join('configs', 'paper');

const MODELS = {
  'vicuna-7b': { rank: 8, width: 4096, layers: 32, heads: 32, mlp: 11008, style: 'llava_v1', base: 'llava-vicuna-7b' },
  'vicuna-13b': {
    rank: 64,
    width: 5120,
    layers: 40,
    heads: 40,
    mlp: 13824,
    style: 'llava_v1',
    base: 'llava-vicuna-13b',
  },
  'llama-2-13b': {
    ...{ rank: 64, width: 5120, layers: 40, heads: 40, mlp: 13824 },
    ...{ style: 'llava_llama_2', base: 'llava-llama-2-13b' },
  },
} as const;

const RES = ['refcoco', 'refcoco+', 'refcocog', 'refclef'];
const SEM_SEG = ['ade20k', 'cocostuff', 'mapillary', 'paco_lvis', 'pascal_part'];
const STAGES = {
  pretrain: {
    ...{ rate: 3e-4, steps: 50_000, epochs: undefined, kind: 'mixture' },
    sets: [...SEM_SEG, ...RES, 'grefcoco', 'llava_instruct_150k', 'reason_seg'],
  },
  'finetune-grefcoco': { rate: 1e-4, steps: undefined, epochs: 10, kind: 'epochs', sets: ['grefcoco'] },
  'finetune-res': { rate: 1e-4, steps: 50_000, epochs: undefined, kind: 'mixture', sets: RES },
  'finetune-refzom': { rate: 1e-4, steps: undefined, epochs: 1, kind: 'epochs', sets: ['refzom'] },
} as const;

const GPUS = 8;
const STEPS_PER_UPDATE = 10;

const CASES = Object.keys(MODELS).flatMap((model) =>
  Object.keys(STAGES).map((stage) => [model, stage] as const),
) as (readonly [keyof typeof MODELS, keyof typeof STAGES])[];

/** As in a fresh clone: no weights are there. */
const read = (name: string): ExperimentConfig =>
  readExperimentConfig(join(DIR, `${name}.json5`), [], { forPlan: true });

test('there is a file for each model and stage, and no other', () => {
  const files = readdirSync(DIR).filter((name) => name.endsWith('.json5'));
  expect(files.sort()).toEqual(CASES.map(([model, stage]) => `${model}-${stage}.json5`).sort());
});

describe.each(CASES)('%s, %s', (modelName, stageName) => {
  const config = read(`${modelName}-${stageName}`);
  const [model, stage] = [MODELS[modelName], STAGES[stageName]];
  const { training } = config;
  const data = config.data as SetsData;

  test('the model: sizes, LoRA, the loss, the form of conversation', () => {
    expect(config.model.llm).toMatchObject({
      vocabSize: 32_004,
      hiddenSize: model.width,
      intermediateSize: model.mlp,
      numHiddenLayers: model.layers,
      numAttentionHeads: model.heads,
    });
    expect(config.model.lora).toEqual({ r: model.rank, alpha: 16, dropout: 0.05, targets: ['q_proj', 'v_proj'] });
    expect(config.model.loss).toEqual({ ce: 1, bce: 2, dice: 0.5 });
    const { sam, clip } = config.model as ModelConfig;
    expect(sam).toMatchObject({ imageSize: 1024, embedDim: 1280, depth: 32, promptEmbedDim: 256 });
    expect(clip).toMatchObject({ imageSize: 224, hiddenSize: 1024, numHiddenLayers: 24, selectLayer: -2 });
    expect([config.conversation, config.variant, config.stage]).toEqual([model.style, GSVA_VARIANT, 'gsva']);
    expect(config.maxLength).toBe(1024 - 255);
  });

  test('the data', () => {
    expect(data.kind).toBe(stage.kind);
    expect([...data.sets].sort()).toEqual([...stage.sets].sort());
    expect(DATASET_NAMES).toEqual(expect.arrayContaining([...data.sets]));
    expect([data.expressionsPerSample, data.absentClasses]).toEqual([5, 0]);
    if (stageName === 'pretrain')
      expect(data).toMatchObject({ weights: { sem_seg: 9, refer_seg: 6, vqa: 3, reason_seg: 1 } });
    if (data.validation !== null) expect(REFERRING_NAMES).toContain(data.validation.set);
    expect(data.validation === null).toBe(training.validateEvery === 0);
  });

  test('batches, steps, optimizer, learning rate', () => {
    expect(training).toMatchObject({ batchSize: 2, accumulation: STEPS_PER_UPDATE });
    expect(training.optimizer).toEqual({ beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, clipNorm: 1 });
    const { form, learningRate, warmupUpdates, decay, totalUpdates, totalEpochs, maxMinutes } = training.schedule;
    expect([learningRate, warmupUpdates, decay, maxMinutes]).toEqual([stage.rate, 100, 'linear', undefined]);
    expect(form).toBe('published');
    expect(totalEpochs).toBe(stage.epochs);
    expect(totalUpdates).toBe(stage.steps === undefined ? undefined : stage.steps / STEPS_PER_UPDATE);
    // A run on 8 GPUs: 160 samples an update, warm-up within it.
    const length = runLength(training, 16_994, GPUS);
    expect(length?.samplesPerUpdate).toBe(2 * GPUS * STEPS_PER_UPDATE);
    const { schedule: options } = trainerOptions(training, 16_994, GPUS);
    expect(options).toMatchObject({ form, learningRate, warmupUpdates, totalUpdates: length?.updates, decay });
    const schedule = new Schedule(options);
    const rates = [0, 1, 101].map((update) => schedule.learningRateAt(update));
    expect(rates).toEqual([stage.rate, 0, stage.rate]);
  });

  test('starts where the paper does: pretraining from LLaVA, fine-tuning from what has been pretrained', () => {
    const isFirst = stageName === 'pretrain';
    expect(config.start).toBe(isFirst ? `checkpoints/${model.base}` : `runs/${modelName}-pretrain/last`);
    expect(config.tokenizer).toBe(config.start);
  });

  test('without its start model it is planned, but not trained', () => {
    expect(() => readExperimentConfig(join(DIR, `${modelName}-${stageName}.json5`))).toThrow(/there is no folder/);
  });
});

test.each(Object.entries(MODELS))(
  '%s: as many numbers are trained as its sizes say',
  async (name, { rank, width, layers }) => {
    await startDryRun('fused');
    const gsva = new LlavaSam(read(`${name}-pretrain`).model as ModelConfig);
    try {
      gsva.build();
      const sizes = new Map<string, number>();
      for (const [variable, { size }] of trainableVariables(gsva, 'gsva')) {
        const part = ['lora_', 'embed_tokens', 'lm_head', 'text_hidden_fcs', 'mask_decoder'].find((p) =>
          variable.includes(p),
        );
        sizes.set(part ?? variable, (sizes.get(part ?? variable) ?? 0) + size);
      }
      expect(Object.fromEntries(sizes)).toEqual({
        lora_: layers * 2 * (2 * width * rank), // A and B of q_proj and v_proj
        embed_tokens: 32_004 * width,
        lm_head: 32_004 * width,
        text_hidden_fcs: width * width + width + width * 256 + 256,
        mask_decoder: 4_058_340, // of the published sam_vit_h
      });
    } finally {
      gsva.dispose();
    }
  },
);
