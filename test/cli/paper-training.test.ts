/** The paper's configurations, as they are but for places and length, from a converted tiny checkpoint: two stages in turn. */
import { configOf } from '../../src/systems/shared/model-config.js';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { writeSynthDataset } from '../../src/synthetic/writer.js';
import { openModelDirectory } from '../../src/checkpoints/checkpoint-directory.js';
import { readRunLog } from '../../src/training/watching/run-log.js';
import { fixture } from '../helpers/fixtures.js';
import { runCli } from '../helpers/run-cli.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-paper-'));
const at = (...parts: string[]): string => join(scratch, ...parts);
const files = (name: string): string => fixture('checkpoints-tiny', name);

beforeAll(async () => {
  await writeSynthDataset(at('data'), { seed: 1, trainImages: 4, valImages: 1, testAImages: 0, testBImages: 0 });
});
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

/** One process, one micro-batch an update, no warm-up, synthetic images. */
const train = (stage: string, start: string, ...set: string[]) =>
  runCli([
    ...['train', '--config', join('configs', 'paper', `vicuna-7b-${stage}.json5`), '--engine', 'wasm'],
    ...['--out', at(stage), '--data', at('data'), '--set', `start=${start}`, 'data.workers=0', 'data.validation=null'],
    ...['training.validateEvery=0', 'training.bestMetric=null', 'training.accumulation=1'],
    ...['training.schedule.warmupUpdates=0', ...set],
  ]);

test('pretraining and fine-tuning on gRefCOCO run one after the other', async () => {
  const paths = ['--mllm', files('llava'), '--vision-tower', files('clip'), '--sam', files('sam_vit_tiny.pth')];
  const sizes = ['--set', 'sam.decoder_heads=4'];
  const converted = await runCli(['convert', ...paths, ...sizes, '--out', at('llava')]);
  expect(converted).toMatchObject({ code: 0 });

  const mixture = ['data.sets=["grefcoco"]', 'training.schedule.totalUpdates=2'];
  expect(await train('pretrain', at('llava'), ...mixture)).toMatchObject({ code: 0 });
  const opened = openModelDirectory(at('pretrain', 'last'));
  const pretrained = configOf(opened);
  // Sizes are the start's, LoRA and the loss the configuration's.
  expect(pretrained).toEqual({
    ...configOf(openModelDirectory(at('llava'))),
    lora: { r: 8, alpha: 16, targets: ['q_proj', 'v_proj'], dropout: 0.05 },
    loss: { ce: 1, bce: 2, dice: 0.5 },
  });
  expect(opened.meta).toMatchObject({ conversation: 'llava_v1', stage: 'gsva' });

  // One epoch of four images in micro-batches of two.
  expect(await train('finetune-grefcoco', at('pretrain', 'last'), 'training.schedule.totalEpochs=1')).toMatchObject({
    code: 0,
  });
  const { updates } = readRunLog(at('finetune-grefcoco', 'log.jsonl'));
  expect(updates.map(({ learningRate }) => learningRate)).toEqual([1e-4, 0]); // DeepSpeed's: the first update has the full rate, the second none
  expect(configOf(openModelDirectory(at('finetune-grefcoco', 'last')))).toEqual(pretrained);
});
