/** The shown batch is the one that is trained on, with the same tokens and labels. */
import { system } from '../../src/systems/gsva/system.js';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeSynthDataset } from '../../src/synthetic/writer.js';
import { startEngine } from '../../src/engine/engine.js';
import { Random } from '../../src/random.js';
import { IGNORE_LABEL } from '../../src/special-tokens.js';
import { buildExperiment, groundingTask } from '../../src/training/config/build-experiment.js';
import { exampleBatch } from '../../src/training/example-batch.js';
import { readExperimentConfig } from '../../src/training/config/experiment-config.js';
import { openTrainingData } from '../../src/training/config/experiment-data.js';
import type { GroundingSample } from '../../src/training/grounding-task.js';
import { SampleQueue } from '../../src/training/loop/sample-queue.js';
import { smallConfig, smallTokenizer, writeConfig } from '../helpers/small-experiment.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-example-'));
const path = join(scratch, 'run.json5');

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
  await writeSynthDataset(scratch, { seed: 1, trainImages: 6, valImages: 0, testAImages: 0, testBImages: 0 });
});
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

test.each([400, 46])(
  'conversations of at most %d tokens: images, tokens, labels and targets of the first micro-batch',
  async (maxLength) => {
    const config = readExperimentConfig(writeConfig(path, smallConfig(scratch, { maxLength })));
    const data = await openTrainingData(
      config.data as Parameters<typeof openTrainingData>[0],
      config.training.batchSize,
    );
    const shown = await exampleBatch(system, config, smallTokenizer(), data);

    const experiment = await buildExperiment(config, path);
    const task = groundingTask(experiment, data, null);
    // As the trainer draws its first samples.
    const queue = new SampleQueue<GroundingSample>(
      task,
      new Random(config.training.seed).fork(0),
      0,
      2,
      2,
      () => undefined,
    );
    const trained = [await queue.next(), await queue.next()];
    await queue.close();
    experiment.network.dispose();

    expect(shown.map(({ name }) => name)).toEqual(trained.map(({ name }) => name));
    const tokenizer = smallTokenizer();
    for (const [i, { conversations }] of shown.entries()) {
      expect(conversations.length).toBe(trained[i]?.conversations.length);
      for (const [j, { pieces, tokens, learnedTokens, targets }] of conversations.entries()) {
        const { tokenized } = trained[i]?.conversations[j] as GroundingSample['conversations'][number];
        const learned = tokenized.inputIds.filter((_, t) => tokenized.labels[t] !== IGNORE_LABEL);
        expect([tokens, learnedTokens]).toEqual([tokenized.inputIds.length, learned.length]);
        expect(pieces.filter(({ isLearned }) => isLearned).map(({ text }) => text)).toEqual([
          tokenizer.decode(learned),
        ]);
        expect(pieces[0]).toMatchObject({ isLearned: false, text: expect.stringContaining('USER:') });
        expect(targets.length).toBe(3);
      }
    }
  },
);
