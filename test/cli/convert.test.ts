/**
 * Published files in, standard files out: the tiny checkpoint is put together from its four paths, from base + delta,
 * converted in three precisions, merged and exported; every copy is held against the recording of the whole model.
 */
import { copyFileSync, cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import type { ModelConfig } from '../../src/systems/shared/model-config.js';
import { openModel, type ModelSource } from '../../src/inference/open-model.js';
import { openCheckpoint } from '../../src/io/checkpoint-files.js';
import type { FileTensors } from '../../src/io/file-tensor.js';
import { verifyModel } from '../../src/verification/model.js';
import { fixture } from '../helpers/fixtures.js';
import { runCli } from '../helpers/run-cli.js';
import { spoiledModel } from '../helpers/spoiled-model.js';

const FILES = fixture('checkpoints-tiny');
const PATHS = {
  mllm: join(FILES, 'llava'),
  visionTower: join(FILES, 'clip'),
  sam: join(FILES, 'sam_vit_tiny.pth'),
  weights: join(FILES, 'gsva-tiny-ft-gres.bin'),
};
const OVERRIDES = [['sam.decoder_heads', 4]] as const;
const scratch = mkdtempSync(join(tmpdir(), 'gsva-convert-'));
const out = (name: string): string => join(scratch, name);
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

function options(paths: Partial<typeof PATHS> = {}): string[] {
  const { mllm, visionTower, sam, weights } = { ...PATHS, ...paths };
  const files = ['--mllm', mllm, '--vision-tower', visionTower, '--sam', sam, '--weights', weights];
  return [...files, '--set', 'sam.decoder_heads=4'];
}

async function run(...argv: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await runCli([...argv, '--json']);
  expect([code, stderr.split('\n').find((line) => line.startsWith('gsva'))]).toEqual([0, undefined]);
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** Every item of the recording passes; returns their names. */
async function expectRecorded(source: ModelSource): Promise<string[]> {
  await startEngine({ engine: 'wasm' });
  const items = await verifyModel(fixture('gsva-tiny'), await openModel<ModelConfig>(source));
  expect(items.filter(({ pass }) => !pass)).toEqual([]);
  return items.map(({ item }) => item);
}

function valuesOf(tensors: FileTensors): Map<string, unknown> {
  return new Map(
    [...tensors].sort().map(([name, { dtype, shape, read }]) => [name, { dtype, shape, values: [...read()] }]),
  );
}

beforeAll(async () => {
  await run('convert', ...options(), '--out', out('own'));
});

describe('the recorded model comes back', () => {
  test('from its four published files: outputs, answers, gradients, updates', async () => {
    const items = await expectRecorded({ ...PATHS, overrides: OVERRIDES });
    expect(items).toEqual(expect.arrayContaining(['sizes', 'weights', 'out.llm.logits', 'gradients (worst of 107)']));
  });

  test('from base + delta', async () => {
    await run(
      'convert',
      'delta',
      '--base',
      join(FILES, 'llama-base'),
      '--delta',
      join(FILES, 'llava-delta'),
      '--out',
      out('llava'),
    );
    copyFileSync(join(PATHS.mllm, 'tokenizer.model'), join(out('llava'), 'tokenizer.model'));
    await expectRecorded({ ...PATHS, mllm: out('llava'), overrides: OVERRIDES });
  });

  test.each(['f32', 'bf16', 'f16'])('converted to %s', async (dtype) => {
    await run('convert', '--model', out('own'), '--dtype', dtype, '--out', out(dtype));
    const types = new Set([...openCheckpoint(out(dtype)).tensors.values()].map((tensor) => tensor.dtype));
    expect([...types]).toEqual([dtype.toUpperCase()]);
    await expectRecorded(out(dtype));
  });

  test('with LoRA merged, by whatever does not train it', async () => {
    const { merged } = await run('merge', '--model', out('own'), '--out', out('merged'));
    expect(merged).toBe(6);
    const items = await expectRecorded(out('merged'));
    expect(items).toContain('greedy.ids');
    const again = await runCli(['merge', '--model', out('merged'), '--out', out('twice')]);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringMatching(/no adapter; it is merged already/) });
    expect(existsSync(out('twice'))).toBe(false);
  });

  test.each(['pytorch', 'hf'])('exported as %s, in shards', async (format) => {
    await run('export', '--model', out('own'), '--format', format, '--shard-gb', '0.0003', '--out', out(format));
    const shards = readdirSync(join(out(format), 'llava')).filter((name) => /-0000\d-of-0000\d\./.test(name));
    expect(shards.length).toBeGreaterThan(1);
    const [mllm, visionTower, sam, weights] = ['llava', 'clip', 'sam.pth', 'gsva.bin'].map((name) =>
      join(out(format), name),
    );
    await expectRecorded({ mllm, visionTower, sam, weights, overrides: OVERRIDES } as ModelSource);
    // What was trained is, bit for bit, the published file.
    expect(valuesOf(openCheckpoint(join(out(format), 'gsva.bin')).tensors)).toEqual(
      valuesOf(openCheckpoint(PATHS.weights).tensors),
    );
  });
});

describe('weights that are not finite', () => {
  test.each([
    ['convert', []],
    ['merge', []],
    ['export', ['--format', 'hf', '--parts', 'mllm']],
  ])('%s writes them as they are, and names them', async (command, more) => {
    const spoiled = spoiledModel(out('own'), out(`spoiled-${command}`), 'model.norm.weight', NaN);
    const target = out(`spoiled-${command}-out`);
    const { code, stdout, stderr } = await runCli([command, '--model', spoiled, ...more, '--out', target, '--json']);
    expect(code).toBe(0);
    expect(stderr).toMatch(/warning: \S*model\.norm\.weight holds 1 NaN of \d+ numbers, at \[3\]/);
    expect(stderr).toContain(`gsva.js inspect --stats ${target}`);
    const { notFinite } = JSON.parse(stdout) as { notFinite: { name: string; found: object }[] };
    expect(notFinite).toMatchObject([{ found: { nan: 1, infinite: 0, first: 3 } }]);
  });

  test('verify names the part, and the file that was given', async () => {
    const spoiled = spoiledModel(out('own'), out('spoiled-verify'), 'model.norm.weight', NaN);
    const verified = await runCli(['verify', fixture('gsva-tiny'), '--model', spoiled]);
    expect(verified.code).toBe(1);
    const said = verified.stdout + verified.stderr;
    expect(said).toMatch(/the LLM's last norm: model\.norm\.weight holds 1 NaN of \d+ numbers, at \[3\]/);
    expect(said).toContain(`gsva.js inspect --stats ${join(spoiled, 'model.safetensors')} --match model.norm`);
  });

  test('a number that f16 cannot hold is refused by name', async () => {
    const large = spoiledModel(out('own'), out('large'), 'model.norm.weight', 65_520);
    const refused = await runCli(['convert', '--model', large, '--dtype', 'f16', '--out', out('large-f16')]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/model\.norm\.weight" holds 65520, which F16 cannot hold; store it as bf16 or f32/);
    expect(existsSync(out('large-f16'))).toBe(false);
    const infinite = spoiledModel(out('own'), out('infinite'), 'model.norm.weight', -Infinity);
    const copied = await runCli(['convert', '--model', infinite, '--dtype', 'f16', '--out', out('infinite-f16')]);
    expect(copied.code).toBe(0);
    expect(copied.stderr).toMatch(/model\.norm\.weight holds 1 infinite of \d+ numbers, at \[3\]/);
  });
});

describe('what convert writes', () => {
  test('is a folder of ours with card and tokenizer; the report counts every part', async () => {
    expect(readdirSync(out('own')).sort()).toEqual(
      expect.arrayContaining(['README.md', 'config.json', 'meta.json', 'model.safetensors', 'tokenizer.model']),
    );
    expect(readFileSync(join(out('own'), 'README.md'), 'utf8')).toMatch(/0\.3 M parameters.*F32, F16|F16, F32/);
    const { parts } = (await run('convert', ...options(), '--out', out('again'))) as {
      parts: { part: string; loaded: number; unused: { name: string }[] }[];
    };
    expect(parts.map(({ part, loaded, unused }) => [part, loaded, unused.length])).toEqual([
      ['mllm', 32, 0],
      ['vision tower', 55, 3],
      ['sam', 202, 0],
      ['weights', 138, 0],
    ]);
  });

  test('without --weights: a base to train from, its vocabulary grown for the added tokens', async () => {
    const base = options().filter((word, i, words) => word !== '--weights' && words[i - 1] !== '--weights');
    const { grown, drawnLater } = await run('convert', ...base, '--out', out('base'));
    expect(grown).toEqual([
      { name: 'model.embed_tokens.weight', from: 600, to: 604 },
      { name: 'lm_head.weight', from: 600, to: 604 },
    ]);
    expect(drawnLater).toBeGreaterThan(0);
    const { tensors, meta } = await openModel(out('base'));
    expect(meta.stage).toBe('base');
    const table = tensors.get('base_model.model.lm_head.weight')?.read() as Float32Array;
    expect(table.length).toBe(604 * 48);
    expect(table.subarray(600 * 48).every((value) => value !== 0 && Math.abs(value) < 0.1)).toBe(true);
  });

  test('is nothing where the folder is there already', async () => {
    const result = await runCli(['convert', '--model', out('own'), '--out', out('own')]);
    expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(/there already/) });
  });
});

describe('what does not belong together is refused, and nothing is written', () => {
  test.each<[string, string[], RegExp]>([
    [
      'a delta as whole weights',
      options({ mllm: join(FILES, 'llava-delta') }),
      /is a delta, not whole weights.*convert delta/,
    ],
    ['LLaMA without a projector', options({ mllm: join(FILES, 'llama-base') }), /tokenizer/],
    ['a file in place of a folder', options({ visionTower: PATHS.sam }), /is no folder/],
    [
      'SAM and GSVA exchanged',
      options({ sam: PATHS.weights, weights: PATHS.sam }),
      /named as --sam, has no image_encoder\.pos_embed \(it has .*: GSVA's weights/,
    ],
    ['heads that no file says', options().slice(0, -2), /--set sam\.decoder_heads=N/],
    [
      'a rank that is not that of the file',
      [...options(), 'lora.r=8'],
      /LoRA of rank 4, .* asks for rank 8.*gsva\.js merge/,
    ],
    ['a name of the hub that is not in the cache', options({ mllm: 'some/llava' }), /hf download some\/llava/],
  ])('%s', async (_, argv, message) => {
    const target = out('refused');
    const result = await runCli(['convert', ...argv, '--out', target]);
    expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(message) });
    expect(existsSync(target)).toBe(false);
  });

  test('a delta whose folder and config do not say so is known by its numbers', async () => {
    cpSync(PATHS.mllm, out('plain'), { recursive: true });
    // The scales of the last norm of a real delta are near 0; those of this tiny one are not, so they are made so.
    const { writeShardedTorch } = await import('../../src/io/torch/torch-writer.js');
    const { named } = await import('../../src/io/tensor-output.js');
    const tensors = [...openCheckpoint(PATHS.mllm).tensors].map(([name, tensor]) => {
      const read = (): Float32Array => new Float32Array(48).fill(0.002);
      return named(name, name === 'model.norm.weight' ? { ...tensor, read } : tensor);
    });
    for (const name of readdirSync(out('plain'))) if (name.includes('.bin')) rmSync(join(out('plain'), name));
    writeShardedTorch(out('plain'), tensors);
    const result = await runCli(['convert', ...options({ mllm: out('plain') }), '--out', out('refused')]);
    expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(/delta.*model\.norm\.weight are 0\.0020/) });
  });

  test.each<[string, string[], RegExp]>([
    ['no model', ['convert', '--out', 'x'], /name a model/],
    ['half of the files', ['convert', '--mllm', 'a', '--out', 'x'], /--vision-tower is missing/],
    ['two models', ['convert', '--model', 'a', ...options(), '--out', 'x'], /exclude each other/],
    ['sizes of a folder of ours', ['convert', '--model', 'a', '--set', 'lora.r=2', '--out', 'x'], /--set belongs to/],
    [
      'published files without GSVA',
      ['segment', '--image', 'package.json', '--expressions', 'a', ...options().slice(0, 6)],
      /--weights is missing/,
    ],
  ])('%s is wrong usage', async (_, argv, message) => {
    expect(await runCli(argv)).toMatchObject({ code: 2, stderr: expect.stringMatching(message) });
  });
});
