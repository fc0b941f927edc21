/** `gsva train --dry-run`: what it says, for people and programs, with and without weights and data; that it trains nothing. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { modelConfigToJson } from '../../src/systems/shared/model-config.js';
import { writeSynthDataset } from '../../src/synthetic/writer.js';
import { startEngine } from '../../src/engine/engine.js';
import { readImage } from '../../src/io/image/image-file.js';
import { type CliResult, runCli } from '../helpers/run-cli.js';
import { SMALL_TEXT, smallConfig, TOKENIZER_DIR, writeConfig } from '../helpers/small-experiment.js';
import { smallModel } from '../helpers/small-model.js';
import { writeModel } from '../helpers/model-folder.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-dry-run-'));
const at = (...parts: string[]): string => join(scratch, ...parts);
const config = at('run.json5');

const dryRun = (...more: string[]): Promise<CliResult> =>
  runCli(['train', '--config', config, '--dry-run', '--engine', 'wasm', ...more]);

interface Answer {
  readonly start: { readonly path: string | null; readonly isThere: boolean };
  readonly data: { readonly images: number | null; readonly missing: string | null };
  readonly samplesPerUpdate: number;
  readonly updates: number | null;
  readonly epochs: number | null;
  readonly parts: readonly { readonly part: string; readonly trainable: number }[];
  readonly trainable: number;
  readonly memory: { readonly ranks: number; readonly optimizer: number };
  readonly speed: Readonly<Record<string, unknown>> | null;
  readonly notMeasured: string | null;
  readonly seconds: { readonly newImages: number; readonly keptImages: number } | null;
  readonly batch: readonly { readonly image: string; readonly conversations: readonly object[] }[] | null;
  readonly noBatch: string | null;
  readonly pictures: readonly string[];
}

beforeAll(async () => {
  await writeSynthDataset(at('data'), { seed: 1, trainImages: 5, valImages: 0, testAImages: 0, testBImages: 0 });
  writeConfig(config, smallConfig(at('data')));
});
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

test('a start model with a LoRA of another rank is found before the training, and the way on is said', async () => {
  const start = at('other-rank');
  mkdirSync(start);
  await startEngine({ engine: 'wasm' });
  const { lora } = SMALL_TEXT;
  const model = smallModel(8, { ...SMALL_TEXT, lora: { ...lora, r: lora.r + 1 } });
  const meta = { conversation: 'plain', stage: 'gsva', description: 'test' };
  await writeModel(start, model, { meta, tokenizerDir: TOKENIZER_DIR });
  model.dispose();
  const path = at('other-rank.json5');
  writeConfig(path, smallConfig(at('data'), { start }));
  const { code, stderr } = await runCli(['train', '--config', path, '--dry-run', '--engine', 'wasm']);
  expect(code).toBe(1);
  expect(stderr).toMatch(
    new RegExp(`LoRA of rank ${lora.r + 1}, .* asks for rank ${lora.r}\\..*gsva\\.js merge --model`),
  );
});

describe('with everything there', () => {
  test('--json: length, memory of each rank, measured time, the batch', async () => {
    const { code, stdout } = await dryRun('--json', '--ranks', '4', '--set', 'training.accumulation=3');
    const answer = JSON.parse(stdout) as Answer;
    expect(code).toBe(0);
    expect(answer).toMatchObject({ samplesPerUpdate: 24, updates: 3, notMeasured: null, noBatch: null, pictures: [] });
    expect(answer.epochs).toBeCloseTo((3 * 24) / 5);
    expect(answer.trainable).toBe(answer.parts.reduce((sum, { trainable }) => sum + trainable, 0));
    expect(answer.parts.find(({ part }) => part === 'lm_head')?.trainable).toBe(604 * 12);
    expect(answer.memory).toMatchObject({ ranks: 4, optimizer: 2 * answer.trainable });
    const { newImages = NaN, update = NaN } = answer.speed as Record<string, number>;
    expect(answer.seconds?.newImages).toBeCloseTo(3 * (3 * newImages + update));
    expect(answer.batch?.length).toBe(2);
    expect(answer.batch?.[0]?.conversations[0]).toMatchObject({
      targets: expect.arrayContaining([{ text: expect.any(String), pixels: expect.any(Number) }]),
      pieces: [
        { isLearned: false, text: expect.stringContaining('<im_start> <image> <im_end>') },
        { isLearned: true, text: expect.stringMatching(/\[(SEG|REJ)\].*<\/s>$/) },
      ],
    });
  });

  test('for people, with pictures; nothing is trained', async () => {
    const out = at('shown');
    const { code, stdout } = await dryRun('--out', out);
    expect(code).toBe(0);
    expect(stdout).toMatch(/3 updates of 2 × 1 = 2 samples/);
    expect(stdout).toMatch(/mask prompt +0\.00 M/);
    expect(stdout).toMatch(/memory: weights .*AdamW/);
    expect(stdout).toMatch(/measured here on wasm.*\n.*a micro-batch \d+\.\d\d s/);
    expect(stdout).toMatch(/USER:[^«]*ASSISTANT: «.*<\/s>»/);
    expect(stdout).toMatch(/\[SEG\] \d+ pixels/);
    expect(readdirSync(out)).toEqual(['dry-run']);
    expect(readdirSync(join(out, 'dry-run'))).toEqual(['sample-001.png', 'sample-002.png']);
    expect((await readImage(join(out, 'dry-run', 'sample-002.png'))).width).toBe(840);
  });

  test('a stage that draws its own scenes is measured, and has no conversation to show', async () => {
    const data = { kind: 'scenes', seed: 1, scenes: 3, itemsPerScene: 2, validationScenes: 1 };
    const path = writeConfig(at('scenes.json5'), smallConfig('', { stage: 'base-sam', data }));
    const { stdout } = await runCli(['train', '--config', path, '--dry-run', '--engine', 'wasm', '--json']);
    const answer = JSON.parse(stdout) as Answer;
    expect(answer).toMatchObject({ notMeasured: null, batch: null, data: { images: 3 } });
    expect(answer.noBatch).toMatch(/base-sam draws its scenes/);
  });
});

describe('what is missing is said', () => {
  test('no start model, nor its tokenizer: planned with the sizes of "plannedModel"', async () => {
    const { lora, loss, ...sizes } = modelConfigToJson(SMALL_TEXT);
    const path = writeConfig(
      at('planned.json5'),
      smallConfig(at('data'), { start: at('none'), model: { lora, loss }, plannedModel: sizes, tokenizer: null }),
    );
    const { code, stdout } = await runCli(['train', '--config', path, '--dry-run', '--engine', 'wasm', '--json']);
    const answer = JSON.parse(stdout) as Answer;
    expect(code).toBe(0);
    expect(answer.start).toEqual({ path: at('none'), isThere: false });
    expect(answer).toMatchObject({ speed: null, seconds: null, batch: null, updates: 3 });
    // Its folder has the tokenizer too.
    expect(answer.noBatch).toMatch(/none/);
    expect(answer.notMeasured).toMatch(/none is absent/);
    const training = await runCli(['train', '--config', path, '--out', at('run'), '--engine', 'wasm']);
    expect(training).toMatchObject({ code: 1, stderr: expect.stringMatching(/there is no folder .*none/) });
    expect(existsSync(at('run'))).toBe(false);
  });

  test('no data: epochs of a published set are counted as published', async () => {
    const schedule = { form: 'published', learningRate: 1e-3, warmupUpdates: 1, totalEpochs: 10, decay: 'linear' };
    const data = { kind: 'epochs', dir: at('none'), sets: ['grefcoco'], expressionsPerSample: 3 };
    const training = { ...(smallConfig('')['training'] as object), schedule, validateEvery: 0, bestMetric: null };
    const path = writeConfig(at('epochs.json5'), smallConfig('', { data, training }));
    const { stdout } = await runCli(['train', '--config', path, '--dry-run', '--engine', 'wasm']);
    expect(stdout).toMatch(/ABSENT\n.*grefs\(unc\)\.json is missing/);
    expect(stdout).toMatch(/images: 16994 as published, epochs: 10\.00\n 84970 updates/);
    expect(stdout).toContain(
      'linear decay (published: update 1 has the full rate, update 2 has 0, all others are one later)',
    );
    expect(stdout).toMatch(/time: not measured: the data is absent/);
    expect(stdout).toMatch(/first batch: not shown: the data is absent/);
  });
});

test('no data: repeated sets are counted as published, thinned, by the rates', async () => {
  const data = {
    kind: 'repeated',
    dir: at('none'),
    sets: ['ade20k', 'refcoco', 'reason_seg', 'vqav2', 'llava_instruct_150k'],
    expressionsPerSample: 3,
    rates: { sem_seg: 6, refer_seg: 20, reason_seg: 6 },
    most: { vqav2: 100_000 },
  };
  const training = { ...(smallConfig('')['training'] as object), validateEvery: 0, bestMetric: null };
  const path = writeConfig(at('repeated.json5'), smallConfig('', { data, training }));
  const { stdout } = await runCli(['train', '--config', path, '--dry-run', '--engine', 'wasm']);
  const samples = 6 * 20_210 + 20 * 16_994 + 6 * 239 + 100_000 + 157_712;
  expect(stdout).toContain(`images: ${samples} as published`);
  expect(stdout).toContain('data: ade20k, refcoco, reason_seg, vqav2, llava_instruct_150k (');
});

describe('what is refused', () => {
  test.each<[string, string[], RegExp]>([
    ['training without a folder', ['train', '--config', config], /--out is missing/],
    ['--ranks of a training', ['train', '--config', config, '--out', at('x'), '--ranks', '2'], /--dry-run; mpirun -np/],
    ['--json of a training', ['train', '--config', config, '--out', at('x'), '--json'], /JSON lines already/],
    ['no ranks', ['train', '--config', config, '--dry-run', '--ranks', '0'], /--ranks/],
  ])('%s', async (_, argv, message) => {
    expect(await runCli(argv)).toMatchObject({ code: 2, stderr: expect.stringMatching(message) });
  });

  test('a mistyped key, naming the nearest', async () => {
    expect(await dryRun('--set', 'batchSize=4')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/unknown key "batchSize"; did you mean "training.batchSize"/),
    });
  });

  test('a dry run of several processes: one does it for all', async () => {
    process.env['OMPI_COMM_WORLD_SIZE'] = '2';
    try {
      expect(await dryRun()).toMatchObject({ code: 2, stderr: expect.stringMatching(/give --ranks N/) });
    } finally {
      delete process.env['OMPI_COMM_WORLD_SIZE'];
    }
  });
});

test('help has an example', async () => {
  const { stdout } = await runCli(['train', '--help']);
  expect(stdout).toMatch(/gsva\.js train --config configs\/paper\/vicuna-7b-pretrain\.json5 --dry-run --ranks 8/);
});
