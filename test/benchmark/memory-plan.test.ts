/** A dry run needs what a real engine needs, at sizes that were not looked at before; and the plan made of it. */
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { BenchParts } from '../../src/benchmark/bench-parts.js';
import { PARTS } from '../../src/benchmark/part-names.js';
import { lacking } from '../../src/benchmark/fits.js';
import { planMemory } from '../../src/benchmark/memory-plan.js';
import { ONE_QUESTION, type PlanSource, readPlanSource } from '../../src/benchmark/plan-source.js';
import { modelConfigToJson } from '../../src/systems/shared/model-config.js';
import { startDryRun } from '../../src/engine/dry-run.js';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { systemNamed } from '../../src/systems/index.js';
import type { ModelSizes } from '../../src/systems/model-configs.js';
import { Random } from '../../src/random.js';
import { trainableVariables } from '../../src/training/trainable.js';
import { SMALL } from '../helpers/small-model.js';
import { SMALL_SELF1E } from '../helpers/small-self1e.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-plan-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

function sourceOf(workload: Partial<PlanSource['workload']>, llmSize = 24): PlanSource {
  const llm = { ...SMALL.llm, hiddenSize: llmSize, numHiddenLayers: 3 };
  return sourceWith({ ...SMALL, llm }, workload);
}

function sourceWith(model: ModelSizes, workload: Partial<PlanSource['workload']> = {}): PlanSource {
  return {
    kind: 'benchmark',
    model,
    stage: 'grounding',
    question: ONE_QUESTION,
    frozenWeights: 'f32',
    workload: { seed: 1, batch: 2, textTokens: 40, masks: 3, height: 48, width: 64, newTokens: 4, ...workload },
    accumulation: 1,
    experiment: null,
  };
}

/** Most bytes that TensorFlow.js counts during each piece of work, on the engine that runs. */
async function countedBytes(source: PlanSource): Promise<Record<string, number>> {
  const before = tf.memory().numBytes;
  const { model, workload } = source;
  const system = await systemNamed(model.system, 'a test');
  const network = system.build(model);
  network.build();
  network.randomize(new Random(1));
  const bench = new BenchParts({ model, workload }, system, network);
  const counted: Record<string, number> = {};
  try {
    for (const part of bench.parts) {
      const info = await tf.profile(async () => {
        await (part === PARTS.trainingStep ? bench.forwardBackward(true) : bench.work(part)());
        return tf.scalar(0);
      });
      tf.dispose(info.result);
      counted[part] = info.peakBytes - before;
    }
  } finally {
    bench.dispose();
  }
  expect(tf.memory().numBytes).toBe(before);
  return counted;
}

const SOURCES: readonly [string, PlanSource][] = [
  ['two conversations', sourceOf({})],
  ['one, wide, with many masks', sourceOf({ batch: 1, textTokens: 64, masks: 7 }, 40)],
  ['large masks', sourceOf({ height: 160, width: 120, masks: 2 })],
  ['a question a target', sourceWith({ ...SMALL, system: 'lisa' })],
  ['SELF1E, whose encoder trains', sourceWith(SMALL_SELF1E)],
  ['SELF1E, one large mask', sourceWith(SMALL_SELF1E, { batch: 1, masks: 1, height: 160, width: 120 })],
];

describe.each(SOURCES)('%s', (_, source) => {
  // WASM's kernels are what a dry run of the kind 'fused' stands for; cpu computes by formulas, as TensorFlow does.
  test.each([
    ['wasm', 'fused'],
    ['cpu', 'formulas'],
  ] as const)('the engine %s needs to the byte what a dry run needs', async (engine, kind) => {
    await startDryRun(kind);
    const planned = await countedBytes(source);
    await startEngine({ engine });
    const counted = await countedBytes(source);
    // On WASM AdamW works in place, without the temporaries of formulas.
    const kept = PARTS.trainingStepKept;
    expect(planned).toEqual({ ...counted, [kept]: engine === 'wasm' ? planned[kept] : counted[kept] });
  });
});

describe('planMemory', () => {
  test('counts the parameters of the model that would be built', async () => {
    const source = sourceOf({});
    const plan = await planMemory(source);
    await startEngine({ engine: 'wasm' });
    const gsva = (await systemNamed('gsva', 'a test')).build(source.model);
    gsva.build();
    const sum = (sizes: readonly number[]): number => sizes.reduce((all, size) => all + size, 0);
    expect(plan.parameters).toBe(sum([...gsva.namedParameters().values()].map(({ variable }) => variable.read().size)));
    expect(plan.trainable).toBe(sum([...trainableVariables(gsva, 'gsva').values()].map(({ size }) => size)));
    expect(plan.weights).toBe(4 * plan.parameters);
    expect(plan.optimizer).toBe(8 * plan.trainable);
    expect(sum(plan.parts.map(({ parameters }) => parameters))).toBe(plan.parameters);
    gsva.dispose();
  });

  test('frozen weights in 16 bits: half of what large frozen matrices take, no other parameters', async () => {
    const wide = sourceOf({});
    const source = { ...wide, model: { ...wide.model, llm: { ...wide.model.llm, intermediateSize: 4096 } } };
    const plain = await planMemory(source);
    const packed = await planMemory({ ...source, frozenWeights: 'bf16' });
    const numbers = 3 * 3 * 24 * 4096; // gate, up and down of three layers
    expect([plain.packedWeights, packed.packedWeights]).toEqual([0, 2 * numbers]);
    expect(packed.weights).toBe(plain.weights - 2 * numbers);
    expect(packed.parts).toEqual(plain.parts);
    expect(packed.optimizer).toBe(plain.optimizer);
    for (const [i, { engine, training, inference }] of packed.engines.entries()) {
      const before = plain.engines[i];
      // Only TensorFlow has them among its tensors. Formulas make fewer copies of matrices besides.
      const least = (engine === 'tensorflow' ? 2 : 4) * numbers;
      const saved = [
        (before?.training.tensors ?? 0) - training.tensors,
        (before?.inference.tensors ?? 0) - inference.tensors,
      ];
      expect([engine, saved.every((bytes) => bytes >= least && bytes < 2 * least)]).toEqual([engine, true]);
      expect(training.process).toBeLessThan(before?.training.process ?? 0);
    }
  });

  test('the features that are kept count, where they are kept', async () => {
    const bench = await planMemory(sourceOf({}));
    const model = await planMemory({ ...sourceOf({}), kind: 'model' });
    expect([bench.keptFeatures, model.keptFeatures]).toEqual([0, 2 ** 30]);
    for (const [i, { training, inference }] of model.engines.entries()) {
      const without = bench.engines[i];
      expect(training.process - (without?.training.process ?? 0)).toBe(2 ** 30);
      expect(inference).toEqual(without?.inference);
    }
  });

  test('more conversations, tokens and micro-batches need more', async () => {
    const training = async (source: PlanSource): Promise<number> => {
      return (await planMemory(source)).engines[0]?.training.tensors ?? NaN;
    };
    const one = await training(sourceOf({ batch: 1 }));
    expect(await training(sourceOf({ batch: 8 }))).toBeGreaterThan(one);
    expect(await training(sourceOf({ batch: 1, textTokens: 400 }))).toBeGreaterThan(one);
    expect(await training({ ...sourceOf({ batch: 1 }), accumulation: 4 })).toBeGreaterThan(one);
  });

  test('a dry run holds nothing afterwards and says nothing of numbers', async () => {
    await startDryRun('fused');
    const before = tf.memory().numTensors;
    await planMemory(sourceOf({}));
    expect(tf.memory().numTensors).toBe(before);
    expect(tf.tidy(() => [...tf.add([1, 2], [3, 4]).dataSync()])).toEqual([0, 0]);
  });
});

describe('readPlanSource', () => {
  const write = (name: string, value: unknown): string => {
    const path = join(scratch, name);
    writeFileSync(path, JSON.stringify(value));
    return path;
  };

  test('reads training configurations, benchmarks and models, and puts what is asked for in their place', () => {
    expect(readPlanSource('configs/tiny.json5')).toMatchObject({ kind: 'training configuration', stage: 'gsva' });
    expect(readPlanSource('configs/tiny-base-1-sam.json5')).toMatchObject({ stage: 'base-sam' });
    const bench = readPlanSource('configs/bench-small/config.json5', { batch: 7, image: [32, 48] });
    expect(bench.workload).toMatchObject({ batch: 7, height: 32, width: 48, textTokens: 96 });
    expect(readPlanSource(write('config.json', modelConfigToJson(SMALL)))).toMatchObject({ kind: 'model' });
  });

  test('refuses anything else by its key', () => {
    expect(() => readPlanSource(write('a.json', { clip: 1 }))).toThrow(/a\.json/);
    expect(() => readPlanSource(write('b.json', []))).toThrow(/b\.json/);
  });
});

test('lacking: the heap of WASM ends at 4 GiB, a process with the memory that is there', () => {
  const memory = { total: 8 * 2 ** 30, available: 6 * 2 ** 30, containerLimit: null };
  const peak = { tensors: 5 * 2 ** 30, process: 5.5 * 2 ** 30 };
  expect(lacking('tensorflow', peak, memory)).toBeNull();
  expect(lacking('openblas', peak, memory)).toMatch(/4 GiB of WASM/);
  expect(lacking('tensorflow', { ...peak, process: 7 * 2 ** 30 }, memory)).toBe('1.0 GiB too much');
});

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});
