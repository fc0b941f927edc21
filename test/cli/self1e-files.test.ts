/** Published files of SELF1E through the program: in, asked as they are, converted, merged, and out again to the bit. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import { loadWeights } from '../../src/checkpoints/weights.js';
import { loadPredictor, type ModelSource, openModel } from '../../src/inference/open-model.js';
import { openCheckpoint } from '../../src/io/checkpoint-files.js';
import { fixture } from '../helpers/fixtures.js';
import { runCli } from '../helpers/run-cli.js';
import { expectEqualTensors, folder, removeFolders, toBase } from '../systems/self1e/internvl-folder.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-self1e-files-'));
const out = (name: string): string => join(scratch, name);
afterAll(() => {
  rmSync(scratch, { recursive: true });
  removeFolders();
});

async function run(...argv: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await runCli([...argv, '--json']);
  expect([code, stderr.split('\n').find((line) => line.startsWith('gsva'))]).toEqual([0, undefined]);
  return JSON.parse(stdout) as Record<string, unknown>;
}

async function failed(...argv: string[]): Promise<string> {
  const { code, stderr } = await runCli(argv);
  expect(code).not.toBe(0);
  return stderr;
}

/** Loads a model on the engine as every command does, strictly. @returns bytes of its matrices in 16 bits, and its stage */
async function loaded(source: ModelSource) {
  const { predictor, packedBytes, meta } = await loadPredictor(source, 'f32');
  predictor.dispose();
  return { packedBytes, stage: meta.stage };
}

let published = '';
let training = '';
beforeAll(async () => {
  published = folder('published');
  training = folder('training');
  await run('convert', '--model', published, '--out', out('own'));
  await run('convert', '--mllm', training, '--system', 'self1e', '--out', out('adapted'));
});

describe('a published folder', () => {
  test('is a folder of ours after convert, under plain names', async () => {
    const { tensors, config } = await openModel(out('own'));
    expectEqualTensors(tensors, openCheckpoint(fixture('self1e-tiny', 'published')).tensors);
    expect(config).toEqual((await openModel(published)).config);
    expect(readFileSync(join(out('own'), 'README.md'), 'utf8')).toContain('A SELF1E model');
  });

  test('is loaded as it is, by --model and by --mllm, converted, and exported', async () => {
    await startEngine({ engine: 'wasm' });
    const { format } = await run('export', '--model', out('own'), '--out', out('again'));
    expect(format).toBe('self1e');
    expectEqualTensors(openCheckpoint(out('again')).tensors, openCheckpoint(published).tensors);
    const whole = { mllm: published, visionTower: null, sam: null, weights: null };
    for (const source of [published, whole, out('own'), out('again')]) {
      expect(await loaded(source)).toEqual({ packedBytes: 0, stage: 'published' });
    }
  });

  test('answers the same as it is and converted', async () => {
    const masksOf = async (model: string): Promise<unknown> => {
      const question = ['--image', fixture('images', 'gray.png'), '--expressions', 'a dog', 'the red cup'];
      const { results } = await run('segment', '--model', model, ...question, '--engine', 'wasm');
      return results;
    };
    const masks = await masksOf(published);
    expect(masks).toHaveLength(2);
    expect(await masksOf(out('own'))).toEqual(masks);
  });

  test.each(['published', 'training'] as const)('%s: every matrix can stay in 16 bits', async (from) => {
    await startEngine({ engine: 'wasm' });
    const { system, config, tensors, weightsPath } = await openModel(from === 'published' ? published : training);
    const network = system.build(config);
    network.packWeights(() => true);
    network.build();
    loadWeights(network, tensors, weightsPath, { roundPacked: true });
    // Seven of each layer of the LLM, four of each of the ViT, two of mlp1, six of the projections, both tables.
    expect(network.packedParameters().size).toBe(3 * 7 + 3 * 4 + 2 + 6 + 2);
    network.dispose();
  });

  test('is planned by its config.json, as it is and converted', async () => {
    const plans = [];
    for (const dir of [published, out('own')]) plans.push(await run('plan', '--config', join(dir, 'config.json')));
    const [first, second] = plans as [Record<string, unknown>, Record<string, unknown>];
    expect(first).toMatchObject({ kind: 'model', parameters: 111_776, featuresPerImage: 0 });
    for (const key of ['parts', 'questionFlops', 'weights']) expect(first[key]).toEqual(second[key]);
  });

  test('is inspected', async () => {
    const { total } = await run('inspect', published);
    expect(total).toMatchObject({ tensors: 103, numbers: 111_776 });
  });
});

describe('a training checkpoint', () => {
  test('exported, its adapters are folded in: the published bits, in shards', async () => {
    await run('export', '--model', out('adapted'), '--out', out('merged'), '--shard-gb', '0.00015');
    expectEqualTensors(openCheckpoint(out('merged')).tensors, openCheckpoint(published).tensors);
    const files = readdirSync(out('merged'));
    expect(files.filter((name) => name.endsWith('.safetensors'))).toHaveLength(2);
    expect(files).toEqual(expect.arrayContaining(['model.safetensors.index.json', 'config.json', 'vocab.json']));
  });

  test('merge makes a folder of ours without adapters', async () => {
    const { merged } = await run('merge', '--model', out('adapted'), '--out', out('folded'));
    // Seven of each layer of the LLM, four of each of the ViT.
    expect(merged).toBe(3 * 7 + 3 * 4);
    const { config, tensors } = await openModel(out('folded'));
    expect(config).toMatchObject({ lora: { r: 0 } });
    expect([...tensors.keys()].filter((name) => name.includes('lora_'))).toEqual([]);
  });
});

describe('a base InternVL3', () => {
  test('becomes a start model, and cannot be asked before it is trained', async () => {
    const base = folder('published', { weights: toBase });
    const { grown, drawn } = await run('convert', '--model', base, '--out', out('start'));
    expect([grown, drawn]).toMatchObject([
      [
        { from: 598, to: 600 },
        { from: 598, to: 600 },
      ],
      { length: 12 },
    ]);
    expect((await openModel(out('start'))).meta.stage).toBe('base');
    const image = fixture('images', 'gray.png');
    const said = await failed(
      'segment',
      '--model',
      base,
      '--image',
      image,
      '--expressions',
      'a dog',
      '--engine',
      'wasm',
    );
    expect(said).toMatch(/is a base InternVL3 without the projections.*expected 12 tensors, found none/);
  });
});

test('a folder without CLIP that is no InternVL is asked for the rest', async () => {
  const said = await failed('convert', '--mllm', fixture('checkpoints-tiny', 'llava'), '--out', out('none'));
  expect(said).toContain('published files are named together: --vision-tower is missing');
  expect(existsSync(out('none'))).toBe(false);
});
