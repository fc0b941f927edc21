/** The two stages on the synthetic mixture and gRefCOCO: what the configurations say, and that a few updates learn. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MixedSampler } from '../../../src/data/sampling/sample-source.js';
import { DATASET_KINDS } from '../../../src/data/facts.js';
import { writeSynthDataset } from '../../../src/synthetic/writer.js';
import { startEngine } from '../../../src/engine/engine.js';
import { modelConfigToJson } from '../../../src/systems/shared/model-config.js';
import { Random } from '../../../src/random.js';
import { buildExperiment, groundingTask } from '../../../src/training/config/build-experiment.js';
import { readExperimentConfig } from '../../../src/training/config/experiment-config.js';
import { type GsvaDataConfig, openTrainingData } from '../../../src/training/config/experiment-data.js';
import { readRunLog } from '../../../src/training/watching/run-log.js';
import { trainerOptions } from '../../../src/training/loop/run-length.js';
import { Trainer } from '../../../src/training/loop/trainer.js';
import { chiSquare, criticalValue } from '../../helpers/chi-square.js';
import { SMALL_TEXT } from '../../helpers/small-experiment.js';

const PRETRAIN = 'configs/tiny-1-pretrain.json5';
const FINETUNE = 'configs/tiny-2-finetune.json5';
const scratch = mkdtempSync(join(tmpdir(), 'gsva-stages-'));
const data = join(scratch, 'data');

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
  const sizes = { trainImages: 4, valImages: 1, testAImages: 0, testBImages: 0 };
  await writeSynthDataset(data, { seed: 3, ...sizes, mixture: { train: 4, val: 1 } });
});
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

test('the second stage goes on with the first, on gRefCOCO, at a third of its rate', () => {
  const [first, second] = [readExperimentConfig(PRETRAIN), readExperimentConfig(FINETUNE)];
  expect(second.training.schedule.learningRate / first.training.schedule.learningRate).toBeCloseTo(1 / 3, 2);
  expect(second.data).toMatchObject({ kind: 'grefcoco' });
  expect(second.start).toBe('runs/tiny-1-pretrain/last');
  expect(second.model).toEqual(first.model);
  for (const { schedule } of [first.training, second.training]) expect(schedule.maxMinutes).toBeUndefined();
});

test('the first stage draws SemSeg, RES, VQA and ReasonSeg 9 : 6 : 3 : 1', async () => {
  const config = readExperimentConfig(PRETRAIN, [['data.dir', data]]);
  const { sets, weights } = await openTrainingData(config.data as GsvaDataConfig, config.training.batchSize);
  if (weights === null) throw new Error('the first stage is no mixture');
  const sampler = new MixedSampler(sets, new Random(config.training.seed), weights);
  const drawn = Array.from({ length: 10_000 }, (_, position) => sampler.draw(position, 0).set.kind);
  const counts = DATASET_KINDS.map((kind) => drawn.filter((each) => each === kind).length);
  expect(chiSquare(counts, [9, 6, 3, 1])).toBeLessThan(criticalValue(3));
});

test('a few updates on the mixture: finite, falling, every trained part moved, the encoders not', async () => {
  const config = readExperimentConfig(PRETRAIN, [
    ['data.dir', data],
    ['model', modelConfigToJson(SMALL_TEXT)],
    ['start', null],
    ['data.expressionsPerSample', 3],
    ['training.batchSize', 4],
    ['training.validateEvery', 0],
    ['training.checkpointEvery', 0],
    ['training.schedule.warmupUpdates', 1],
    ['training.schedule.totalUpdates', 12],
  ]);
  const experiment = await buildExperiment(config, PRETRAIN);
  try {
    const { network: gsva } = experiment;
    const encoders = (): Float32Array[] =>
      [...gsva.namedParameters()]
        .filter(([name]) => /vision_tower|image_encoder/.test(name))
        .map(([, { variable }]) => variable.read().dataSync().slice() as Float32Array);
    const before = encoders();
    expect(before.length).toBeGreaterThan(10);
    const out = join(scratch, 'run');
    const task = groundingTask(
      experiment,
      await openTrainingData(config.data as GsvaDataConfig, config.training.batchSize),
      null,
    );
    await new Trainer(task, trainerOptions(config.training, task.sampleCount, 1), { runDir: out, resume: false }).run();
    const losses = readRunLog(join(out, 'log.jsonl')).updates.map((update) => update.losses['loss'] ?? NaN);
    expect(losses).toHaveLength(12);
    expect(losses.every(Number.isFinite)).toBe(true);
    const mean = (some: readonly number[]): number => some.reduce((sum, value) => sum + value, 0) / some.length;
    expect(mean(losses.slice(-3))).toBeLessThan(mean(losses.slice(0, 3)));
    expect(encoders()).toEqual(before);
  } finally {
    experiment.network.dispose();
  }
});
