/** LISA's published forms in and out: the merged folder, that of the first models, training checkpoints. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { ModelConfig } from '../../../../src/systems/shared/model-config.js';
import { openModel, type PublishedSource } from '../../../../src/inference/open-model.js';
import { openCheckpoint } from '../../../../src/io/checkpoint-files.js';
import type { FileTensors } from '../../../../src/io/file-tensor.js';
import { openSafetensors } from '../../../../src/io/safetensors/safetensors.js';
import { named } from '../../../../src/io/tensor-output.js';
import { writeTorchCheckpoint } from '../../../../src/io/torch/torch-writer.js';
import { nameInModel } from '../../../../src/networks/lora.js';
import { lisaTensors } from '../../../../src/systems/shared/published/lisa-files.js';
import { LisaCase } from '../../../../src/verification/lisa-case.js';
import { runCli } from '../../../helpers/run-cli.js';
import { fixture } from '../../../helpers/fixtures.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-lisa-files-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const LISA = fixture('checkpoints-tiny-lisa', 'lisa');
const CLIP = fixture('checkpoints-tiny-lisa', 'clip');
const SOURCE: PublishedSource = {
  mllm: LISA,
  visionTower: CLIP,
  sam: null,
  weights: null,
  overrides: [['sam.decoder_heads', 4]],
};

type Bits = Record<string, readonly [type: string, shape: string, hex: string]>;

function bitsOf(tensors: FileTensors): Bits {
  const all = [...tensors].map(([name, tensor]): [string, Bits[string]] => {
    const { buffer, byteOffset, byteLength } = tensor.read();
    const hex = Buffer.from(buffer, byteOffset, byteLength).toString('hex');
    return [name, [tensor.dtype, tensor.shape.join(), hex]];
  });
  return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const published = bitsOf(openCheckpoint(LISA).tensors);

function byName(tensors: readonly ReturnType<typeof named>[]): FileTensors {
  return new Map(tensors.map((tensor) => [tensor.name, tensor]));
}

describe('the merged folder', () => {
  test('is of LISA, without [REJ] and adapters, and its ids are those of the tokenizer', async () => {
    const { system, config, meta } = await openModel<ModelConfig>(SOURCE);
    expect(system.name).toBe('lisa');
    expect(config.tokens).toMatchObject({ seg: 600, imStart: 601, imEnd: 602 });
    expect(config.tokens).not.toHaveProperty('rej');
    expect(config.lora.r).toBe(0);
    expect(meta).toMatchObject({ conversation: 'llava_v1', stage: 'published' });
  });

  test('comes out of a trained model bit for bit: rounded, LoRA added, rounded again', () => {
    const whole = new LisaCase(fixture('lisa-tiny'));
    expect(bitsOf(byName(lisaTensors(whole.config, whole.model().tensors)))).toEqual(published);
  });

  test('goes through a folder of ours and out again bit for bit', async () => {
    const [own, out] = [join(scratch, 'own'), join(scratch, 'out')];
    const files = ['--mllm', LISA, '--vision-tower', CLIP, '--set', 'sam.decoder_heads=4'];
    expect(await runCli(['convert', ...files, '--out', own])).toMatchObject({ code: 0 });
    expect(await runCli(['export', '--model', own, '--out', out, '--shard-gb', '0.0004'])).toMatchObject({ code: 0 });
    expect(bitsOf(openCheckpoint(join(out, 'lisa')).tensors)).toEqual(published);
    expect(openCheckpoint(join(out, 'lisa')).files).toHaveLength(2);
    const again = await openModel({ ...SOURCE, mllm: join(out, 'lisa'), visionTower: join(out, 'clip') });
    expect(again.config).toEqual((await openModel(SOURCE)).config);
    expect(await runCli(['export', '--model', own, '--format', 'hf', '--out', join(scratch, 'x')])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('a model of lisa, which the format hf cannot hold'),
    });
  });

  test('with another SAM, which would replace the trained one, is refused', async () => {
    const sam = fixture('checkpoints-tiny', 'sam_vit_tiny.pth');
    await expect(openModel({ ...SOURCE, sam, system: 'lisa' })).rejects.toThrow('Leave out --sam');
  });
});

test('the first LISA has files beside the shards, <im_patch> behind [SEG], and a style of its own', async () => {
  const dir = join(scratch, 'v0');
  mkdirSync(dir);
  for (const name of ['config.json', 'tokenizer.model']) copyFileSync(join(LISA, name), join(dir, name));
  const parts: [file: string, pattern: RegExp][] = [
    ['pytorch_model-visual_model.bin', /^model\.visual_model\./],
    ['pytorch_model-text_hidden_fcs.bin', /^model\.text_hidden_fcs\./],
    ['pytorch_model.bin', /^(?!model\.visual_model\.|model\.text_hidden_fcs\.)/],
  ];
  const all = [...openCheckpoint(LISA).tensors];
  for (const [file, pattern] of parts) {
    const own = all.filter(([name]) => pattern.test(name));
    const renamed = own.map(([name, tensor]) => {
      return named(file === 'pytorch_model.bin' ? name : name.replace('model.', ''), tensor);
    });
    writeTorchCheckpoint(join(dir, file), renamed);
  }
  const { config, meta, tensors, published: how } = await openModel<ModelConfig>({ ...SOURCE, mllm: dir });
  expect(config.tokens).toMatchObject({ seg: 600, imPatch: 601, imStart: 602, imEnd: 603 });
  expect(meta.conversation).toBe('vicuna');
  expect(how?.grown.map(({ name, from, to }) => [name, from, to])).toEqual([
    ['model.embed_tokens.weight', 603, 604],
    ['lm_head.weight', 603, 604],
  ]);
  const merged = (await openModel(SOURCE)).tensors;
  expect([...tensors.keys()].sort()).toEqual([...merged.keys()].sort());
});

test('a training checkpoint (zero_to_fp32) with its adapters on a base: no SAM has to be named', async () => {
  const weights = join(scratch, 'pytorch_model.bin');
  const { tensors: trained } = openSafetensors(fixture('lisa-tiny', 'model.safetensors'));
  writeTorchCheckpoint(
    weights,
    [...trained].map(([name, tensor]) => named(name, tensor)),
  );
  const { system, config, tensors } = await openModel<ModelConfig>({ ...SOURCE, weights });
  expect(system.name).toBe('lisa');
  expect(config.lora).toMatchObject({ r: 4, alpha: 16, targets: ['q_proj', 'v_proj'] });
  const bare = new Map([...trained].map(([name, tensor]) => [nameInModel(name), tensor]));
  expect(bitsOf(tensors)).toEqual(bitsOf(bare));
  expect(bitsOf(byName(lisaTensors(config, tensors)))).toEqual(published);
});
