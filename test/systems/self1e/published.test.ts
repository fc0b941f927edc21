/** Published files of InternVL3 and SELF1E: the same weights under every kind of names, start models, and the way back. */
import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mergeLora } from '../../../src/checkpoints/merge-lora.js';
import { UserError } from '../../../src/errors.js';
import { openCheckpoint } from '../../../src/io/checkpoint-files.js';
import { type FileTensor, toFloat32 } from '../../../src/io/file-tensor.js';
import { without } from '../../../src/schema.js';
import { publishedFolder, type PublishedModel, type PublishedSource } from '../../../src/systems/published-files.js';
import { readSelf1eConfig } from '../../../src/systems/self1e/config.js';
import { SELF1E_FORM } from '../../../src/systems/self1e/published/form.js';
import { fixture } from '../../helpers/fixtures.js';
import * as internVl from './internvl-folder.js';
import { EMBEDDING, expectEqualTensors, HEAD, type Json, type Rename } from './internvl-folder.js';

const { folder, toBase, withRows } = internVl;
afterAll(internVl.removeFolders);

function open(mllm: string, more: Partial<PublishedSource> = {}): PublishedModel {
  return SELF1E_FORM.open({ mllm, visionTower: null, sam: null, weights: null, ...more });
}

let plain: PublishedModel;
beforeAll(() => {
  plain = open(folder('published'));
});

/** A config.json with another precision of the rotary frequencies. */
function withFrequencies(json: unknown, precision: 'bf16' | undefined): unknown {
  const { llm, ...rest } = json as { readonly llm: Record<string, unknown> };
  const sizes = without(llm, 'rope_frequencies');
  return { ...rest, llm: precision === undefined ? sizes : { ...sizes, rope_frequencies: precision } };
}

describe('in', () => {
  test('a published SELF1E: sizes, tokens by their text, every tensor under its own name', () => {
    const config = readSelf1eConfig(plain.json, 'config.json');
    expect(config).toMatchObject({
      system: 'self1e',
      vision: {
        hiddenSize: 32,
        numHiddenLayers: 3,
        numAttentionHeads: 4,
        imageSize: 32,
        patchSize: 4,
        layerNormEps: 1e-6,
      },
      llm: {
        vocabSize: 600,
        hiddenSize: 32,
        numAttentionHeads: 4,
        numKeyValueHeads: 2,
        attentionBias: true,
        ropeTheta: 1e6,
      },
      lora: { r: 0 },
      tokens: { seg: 598, segt: 599, imageContext: 591, imageStart: 589, imageEnd: 590, begin: 568, end: 569, pad: 0 },
    });
    expect(plain.meta).toMatchObject({ stage: 'published', conversation: 'internvl2_5' });
    expect([plain.grown, plain.drawn, plain.lacks]).toEqual([[], undefined, undefined]);
    expect(plain.parts).toMatchObject([{ part: 'mllm', loaded: 103, replaced: [], unused: [] }]);
    expectEqualTensors(plain.tensors, openCheckpoint(fixture('self1e-tiny', 'published')).tensors);
  });

  test.each(['', 'model.'])("transformers' own InternVL (%j in front) is the same model", (prefix) => {
    const dir = folder('published', {
      config: internVl.toTransformersConfig,
      weights: internVl.toTransformers(prefix),
    });
    expect(publishedFolder(dir)).toMatchObject({ mllm: dir, system: 'self1e' });
    const model = open(dir);
    expect(model.json).toEqual(withFrequencies(plain.json, undefined));
    expectEqualTensors(model.tensors, plain.tensors);
  });

  test('a training checkpoint: adapters with their rank, α = 2r; over a base it replaces everything', () => {
    const dir = folder('training');
    const model = open(dir);
    expect(readSelf1eConfig(model.json, 'config.json').lora).toEqual({
      r: 4,
      alpha: 8,
      dropout: 0.05,
      targets: 'q_proj k_proj v_proj o_proj gate_proj up_proj down_proj'.split(' '),
      visionTargets: ['attn.qkv', 'attn.proj', 'mlp.fc1', 'mlp.fc2'],
    });
    expect(model.tensors.get('vision_model.encoder.layers.0.attn.qkv.lora_B.default.weight')?.shape).toEqual([96, 4]);
    expect(model.tensors.get('language_model.model.layers.0.self_attn.q_proj.bias')?.shape).toEqual([32]);
    const over = open(folder('published', { weights: toBase }), { weights: join(dir, 'model.safetensors') });
    // The folder says that it is a published SELF1E, whose frequencies are rounded.
    expect(over.json).toEqual(withFrequencies(model.json, 'bf16'));
    expect([over.meta.stage, over.grown, over.drawn]).toEqual(['published', [], undefined]);
    expectEqualTensors(over.tensors, model.tensors);
  });

  test('a base InternVL3 is a start model: new rows are the mean of the old ones, projections are drawn', () => {
    const base = open(folder('published', { weights: toBase }));
    expect(base.meta.stage).toBe('base');
    expect(base.grown).toEqual([EMBEDDING, HEAD].map((name) => ({ name, from: 598, to: 600 })));
    expect(base.json).toEqual(plain.json);
    for (const name of [EMBEDDING, HEAD]) expectMeanRows(base, name);
    expect(base.drawn?.length).toBe(12);
    const weight = base.tensors.get('combine_decode_proj_all.2.weight') as FileTensor;
    const numbers = weight.read() as Float32Array;
    expect(weight.shape).toEqual([128, 32]);
    const deviation = Math.sqrt(numbers.reduce((sum, value) => sum + value ** 2, 0) / numbers.length);
    expect(deviation).toBeGreaterThan(0.019);
    expect(deviation).toBeLessThan(0.021);
    expect(weight.read()).toEqual(numbers);
    expect(base.tensors.get('combine_decode_proj.0.bias')?.read()).toEqual(new Float32Array(32));
    expect(base.lacks).toMatch(/expected 12 tensors, found none/);
  });

  test('a checkpoint without a row for [SEGT] gets one', () => {
    const model = open(folder('published', { weights: withRows(599) }));
    expect(model.grown).toEqual([EMBEDDING, HEAD].map((name) => ({ name, from: 599, to: 600 })));
    expect(model.meta.stage).toBe('published');
  });

  test('--set replaces what the files say', () => {
    const { json } = open(folder('training'), { overrides: [['lora.alpha', 4]] });
    expect(json).toMatchObject({ lora: { alpha: 4, r: 4 } });
  });
});

/** Rows 598 and 599 against the mean of those before, which bfloat16 keeps to 8 bits. */
function expectMeanRows(base: PublishedModel, name: string): void {
  const [found, recorded] = [base.tensors, plain.tensors].map((tensors) => {
    const tensor = tensors.get(name) as FileTensor;
    return toFloat32({ ...tensor, data: tensor.read() });
  }) as [Float32Array, Float32Array];
  expect(found.subarray(0, 598 * 32)).toEqual(recorded.subarray(0, 598 * 32));
  for (const column of [0, 31]) {
    let mean = 0;
    for (let row = 0; row < 598; row++) mean += (recorded[row * 32 + column] as number) / 598;
    for (const row of [598, 599]) {
      expect(Math.abs((found[row * 32 + column] as number) - mean)).toBeLessThanOrEqual(Math.abs(mean) / 256);
    }
  }
}

interface Sums {
  readonly shape: number[];
  readonly sum: number;
  readonly abs: number;
}

describe('out', () => {
  test('LoRA folded in as the reference folds it: sums to 1e-6, and the published bits', () => {
    const training = open(folder('training'));
    const config = readSelf1eConfig(training.json, 'config.json');
    const sums = JSON.parse(readFileSync(fixture('self1e-tiny', 'merged.json'), 'utf8')) as Record<string, Sums>;
    const { tensors } = mergeLora(config, training.tensors, 'each step');
    expect([...tensors.keys()].sort()).toEqual(Object.keys(sums).sort());
    for (const [name, tensor] of tensors) {
      const { shape, sum, abs } = sums[name] as Sums;
      const values = toFloat32({ ...tensor, data: tensor.read() });
      const magnitude = values.reduce((total, value) => total + Math.abs(value), 0);
      expect([name, tensor.shape]).toEqual([name, shape]);
      expect(Math.abs(magnitude - abs)).toBeLessThanOrEqual(1e-6 * abs);
      expect(Math.abs(values.reduce((total, value) => total + value, 0) - sum)).toBeLessThanOrEqual(1e-6 * abs);
    }
    const { pieces, format } = SELF1E_FORM.pieces({ ...training, config, source: 'a model' }, { parts: [] });
    expect([format, pieces.map(({ name, as }) => [name, as])]).toEqual(['self1e', [['', 'safetensors']]]);
    const [piece] = pieces;
    expectEqualTensors(new Map((piece?.tensors ?? []).map((tensor) => [tensor.name, tensor])), plain.tensors);
    const json = piece?.json['config.json'] as Json;
    const recorded = JSON.parse(readFileSync(fixture('self1e-tiny', 'published', 'config.json'), 'utf8')) as Json;
    for (const section of ['llm_config', 'vision_config']) {
      const expected = without(recorded[section] as { layer_types?: unknown }, 'layer_types');
      expect(json[section]).toEqual(expect.objectContaining(expected));
    }
    expect(json).toMatchObject({ model_type: 'internvl_chat', template: 'internvl2_5', ps_version: 'v2' });
  });

  test('another format is refused', () => {
    const config = readSelf1eConfig(plain.json, 'config.json');
    const model = { ...plain, config, source: 'a model' };
    expect(() => SELF1E_FORM.pieces(model, { format: 'hf', parts: [] })).toThrow('Leave out --format');
  });
});

describe('one clear line for', () => {
  const inSection = (section: string) => (changes: Json) => (json: Json) => {
    return { ...json, [section]: { ...(json[section] as Json), ...changes } };
  };
  const [llm, vision] = [inSection('llm_config'), inSection('vision_config')] as const;
  const without = (isLeftOut: (name: string) => boolean): Rename => {
    return (name, tensor) => (isLeftOut(name) ? [] : [[name, tensor]]);
  };

  test.each<[string, internVl.Change, RegExp]>([
    ['a vocabulary of another size', { weights: withRows(590) }, /has 590 rows.*expected 600 rows, or 598 for a base/],
    ['[SEG] without projections', { weights: without(internVl.isProjection) }, /should have the 12 .*found 0/],
    [
      'some projections alone',
      { weights: without((name) => name === 'combine_decode_proj_ori.2.bias') },
      /found 11, "combine_decode_proj_ori\.2\.bias" is missing/,
    ],
    ['another image size', { config: vision({ image_size: 64 }) }, /force_image_size.* 32, expected 64/],
    [
      'positions of another size',
      { config: (json) => ({ ...vision({ image_size: 64 })(json), force_image_size: 64 }) },
      /need 257 positions, but .* has 65/,
    ],
    [
      'image tokens that do not fit',
      { config: (json) => ({ ...json, image_seq_length: 256 }) },
      /"image_seq_length" is 256, expected 16, which is/,
    ],
    ['odd patches', { config: vision({ patch_size: 32 }) }, /1 × 1, which a downsample_ratio of 0\.5 does not divide/],
    [
      'another LLM',
      { config: llm({ model_type: 'qwen3' }) },
      /"llm_config\.model_type" is "qwen3", expected one of "qwen2"/,
    ],
    ['YaRN', { config: llm({ rope_scaling: { rope_type: 'yarn' } }) }, /rope_scaling\.rope_type" is "yarn"/],
    ['norms of queries', { config: vision({ qk_normalization: true }) }, /qk_normalization" is true, expected false/],
    [
      'another conversation',
      { config: (json) => ({ ...json, template: 'x' }) },
      /"template" is "x", expected "internvl2_5"/,
    ],
    [
      'a language model alone',
      { weights: without((name) => !name.startsWith('language_model.')) },
      /lacks .* an InternVL/,
    ],
  ])('%s', (_, change, message) => {
    const dir = folder('published', change);
    expect(() => open(dir)).toThrow(message);
    expect(() => open(dir)).toThrow(UserError);
    expect(() => open(dir)).toThrow(/^[^\n]+$/);
  });

  test("a tokenizer that is not InternVL's", () => {
    const dir = folder('published');
    for (const name of readdirSync(dir)) if (/token|vocab|merges/.test(name)) rmSync(join(dir, name));
    for (const name of ['tokenizer.model', 'tokenizer_config.json'])
      cpSync(fixture('tokenizer', name), join(dir, name));
    expect(() => open(dir)).toThrow(/expected InternVL's tokens/);
  });

  test('an encoder or SAM, which SELF1E does not have', () => {
    expect(() => open(folder('published'), { sam: 'sam.pth' })).toThrow('Leave out sam');
  });
});
