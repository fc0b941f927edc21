/** From configuration to model and task: the shipped configurations, start weights, the rows of [SEG] and [REJ]. */
import { systemNamed } from '../../../src/systems/index.js';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { writePendingFiles } from '../../../src/io/atomic/pending-file.js';
import { modelConfigToJson } from '../../../src/systems/shared/model-config.js';
import { bfloat16ToFloat32, float32ToBfloat16, halfToFloat32 } from '../../../src/half-float.js';
import type { FileTensor } from '../../../src/io/file-tensor.js';
import { openSafetensors } from '../../../src/io/safetensors/safetensors.js';
import { PUBLISHED_PREFIX } from '../../../src/checkpoints/weights.js';
import { loadModelWeights } from '../../../src/checkpoints/checkpoint-directory.js';
import { Random } from '../../../src/random.js';
import { BaseCaptionTask } from '../../../src/training/base/base-caption-task.js';
import { BaseClipTask } from '../../../src/training/base/base-clip-task.js';
import { BaseDistillTask } from '../../../src/training/base/base-distill-task.js';
import { BaseGroundingTask } from '../../../src/training/base/base-grounding-task.js';
import { BaseSamTask } from '../../../src/training/base/base-sam-task.js';
import { baseTask, buildExperiment } from '../../../src/training/config/build-experiment.js';
import { readExperimentConfig } from '../../../src/training/config/experiment-config.js';
import { trainableVariables } from '../../../src/training/trainable.js';
import { SMALL_TEXT, smallConfig, TOKENIZER_DIR, writeConfig } from '../../helpers/small-experiment.js';
import { smallModel } from '../../helpers/small-model.js';
import { SMALL_EIGHT } from '../../helpers/variants.js';
import { GSVA_VARIANT } from '../../../src/systems/shared/variant.js';
import { largestDifference, stored, valuesOf, variablesOf } from '../../helpers/tensors.js';
import { writeModel } from '../../helpers/model-folder.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-build-'));
const path = join(scratch, 'run.json5');
const start = join(scratch, 'start');
const META = { conversation: 'plain', stage: 'base', description: 'test' };
const { seg, rej = -1 } = SMALL_TEXT.tokens;

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
  mkdirSync(start);
  const base = smallModel(8, { ...SMALL_TEXT, lora: { ...SMALL_TEXT.lora, r: 0 } });
  await writeModel(start, base, { meta: META, tokenizerDir: TOKENIZER_DIR });
  base.dispose();
});

afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const build = async (changes: Record<string, unknown>, overrides: [string, unknown][] = []) =>
  buildExperiment(readExperimentConfig(writeConfig(path, smallConfig('data', changes)), overrides), path);

const CONFIGS = readdirSync('configs').filter((name) => name.endsWith('.json5'));

test('there are configurations to check', () => {
  expect(CONFIGS.length).toBeGreaterThan(3);
});

describe.each(CONFIGS)('configs/%s', (name) => {
  test('parses and builds, means the same ids as its tokenizer, and trains something', async () => {
    const file = join('configs', name);
    const before = tf.memory().numTensors;
    // Without the start model, which another configuration makes; own-data.json5 takes its sizes from it.
    const overrides: [string, unknown][] = name === 'own-data.json5' ? [] : [['start', null]];
    const {
      config,
      network: gsva,
      tokenizer,
      meta,
    } = await withoutDraws(() => buildExperiment(readExperimentConfig(file, overrides), file));
    const { ids, end } = (await systemNamed(config.model.system, file)).vocabulary(config.model, config);
    expect(ids.map(({ token }) => tokenizer.tokenId(token))).toEqual(ids.map(({ id }) => id));
    expect(tokenizer.eosId).toBe(end);
    if ('bos' in config.model.tokens) expect(tokenizer.bosId).toBe(config.model.tokens.bos);
    expect(tokenizer.padId).toBe(config.model.tokens.pad);
    expect(tokenizer.vocabSize).toBe(config.model.llm.vocabSize);
    const { conversation, stage, description, knows } = config;
    expect(meta).toEqual({ conversation, stage, description, ...(knows === null ? {} : { knows }) });
    expect(trainableVariables(gsva, config.stage).size).toBeGreaterThan(0);
    gsva.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('buildExperiment', () => {
  test('the seed decides the random weights', async () => {
    const values: unknown[] = [];
    for (const seed of [1, 1, 2]) {
      const { network: gsva } = await build({}, [['training.seed', seed]]);
      values.push(stored(gsva, 'lm_head.weight').data);
      gsva.dispose();
    }
    expect(values[0]).toEqual(values[1]);
    expect(values[0]).not.toEqual(values[2]);
  });

  test('a GSVA run starts from the base, but for LoRA and the rows of [SEG] and [REJ] in embedding and head', async () => {
    const base = smallModel(8, { ...SMALL_TEXT, lora: { ...SMALL_TEXT.lora, r: 0 } });
    const { network: gsva } = await build({ start });
    const size = SMALL_TEXT.llm.hiddenSize;
    for (const [name, variable] of variablesOf(gsva)) {
      if (name.includes('.lora_')) continue;
      if (name !== 'model.embed_tokens.weight' && name !== 'lm_head.weight') {
        expect([name, valuesOf(variable)]).toEqual([name, valueOf(base, name)]);
        continue;
      }
      // As PyTorch stores both: a row per token.
      const [before, after] = [base, gsva].map((model) => stored(model, name).data);
      const changed = Array.from({ length: SMALL_TEXT.llm.vocabSize }, (_, id) => id).filter((id) =>
        Array.from({ length: size }, (_, i) => id * size + i).some((at) => before?.[at] !== after?.[at]),
      );
      expect([name, changed]).toEqual([name, [seg, rej]]);
      const drawn = [seg, rej].flatMap((id) => [...(after?.subarray(id * size, (id + 1) * size) ?? [])]);
      expect(new Set(drawn).size).toBe(2 * size);
      const deviation = Math.sqrt(drawn.reduce((sum, value) => sum + value * value, 0) / drawn.length);
      expect(deviation).toBeGreaterThan(0.01);
      expect(deviation).toBeLessThan(0.03);
    }
    // LoRA's B starts at zero: the model answers as its base does.
    for (const [name, variable] of variablesOf(gsva)) {
      if (name.includes('.lora_B.')) expect(Math.max(...valuesOf(variable).map(Math.abs))).toBe(0);
    }
    base.dispose();
    gsva.dispose();
  });

  test('the stage base-whole is refused for a system whose recipe keeps the encoders frozen', async () => {
    const before = tf.memory().numTensors;
    await expect(build({ stage: 'base-whole' })).rejects.toThrow(/"gsva" keeps its encoders frozen.*"base-joint"/);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('parts that are "drawn" start at random though the start model has them; an unknown part is refused', async () => {
    const own = variablesOf(smallModel(8, { ...SMALL_TEXT, lora: { ...SMALL_TEXT.lora, r: 0 } }));
    const { network: gsva } = await build({ start, drawn: ['projector'] });
    for (const [name, variable] of variablesOf(gsva)) {
      const before = own.get(name);
      if (before === undefined || /embed_tokens|lm_head/.test(name)) continue;
      const isDrawn = name === 'model.mm_projector.weight';
      expect([name, JSON.stringify(valuesOf(variable)) === JSON.stringify(valuesOf(before))]).toEqual([
        name,
        !isDrawn && !name.includes('mm_projector'),
      ]);
    }
    tf.dispose([...own.values()]);
    gsva.dispose();
    await expect(build({ start, drawn: ['projektor'] })).rejects.toThrow(
      '"drawn" names the part "projektor"; known are vision_tower, projector,',
    );
  });

  test('a GSVA run on a model that GSVA has been taught keeps what it has learned of [SEG] and [REJ]', async () => {
    const taught = join(scratch, 'taught');
    mkdirSync(taught);
    const model = smallModel(9, SMALL_TEXT);
    await writeModel(taught, model, { meta: { ...META, stage: 'gsva' }, tokenizerDir: TOKENIZER_DIR });
    const { network: gsva } = await build({ start: taught });
    for (const [name, variable] of variablesOf(gsva)) {
      expect([name, valuesOf(variable)]).toEqual([name, valueOf(model, name)]);
    }
    model.dispose();
    gsva.dispose();
  });

  test('what the model knows: written, else the start model’s, but not where it learns from own pictures', async () => {
    const taught = join(scratch, 'knowing');
    mkdirSync(taught);
    const { network: model } = await build({ start });
    const meta = { ...META, stage: 'gsva', knows: 'coloured shapes only' };
    await writeModel(taught, model, { meta, tokenizerDir: TOKENIZER_DIR });
    model.dispose();
    const knows = async (changes: Record<string, unknown>): Promise<string | undefined> => {
      const { network: gsva, meta } = await build({ start: taught, ...changes });
      gsva.dispose();
      return meta.knows;
    };
    const own = { kind: 'jsonl', file: 'own.jsonl', expressionsPerSample: 2, validationImages: 1 };
    expect(await knows({})).toBe('coloured shapes only');
    expect(await knows({ knows: 'cups' })).toBe('cups');
    expect(await knows({ start })).toBeUndefined();
    expect(await knows({ data: own })).toBeUndefined();
    expect(await knows({ data: own, knows: 'cups' })).toBe('cups');
    await expect(knows({ knows: ' ' })).rejects.toThrow(
      '"knows" is " ", expected a few words on what the model will know',
    );
  });

  test('eight [SEG]: the vocabulary grows behind the rows of the start, and all of them are drawn', async () => {
    const base = smallModel(8, { ...SMALL_TEXT, lora: { ...SMALL_TEXT.lora, r: 0 } });
    const before = tf.memory().numTensors;
    const { network: gsva, config, tokenizer, meta } = await build({ start, variant: { segTokens: 8 } });
    expect(config.model).toEqual(SMALL_EIGHT);
    expect(meta.variant).toMatchObject({ segTokens: 8 });
    expect(tokenizer.tokenId('[SEG007]')).toBe(610);
    const size = SMALL_TEXT.llm.hiddenSize;
    for (const name of ['model.embed_tokens.weight', 'lm_head.weight']) {
      const [own, old] = [stored(gsva, name), stored(base, name)];
      expect(own.shape).toEqual([611, size]);
      const row = (from: { data: ArrayLike<number> }, id: number): number[] =>
        Array.from(from.data).slice(id * size, (id + 1) * size);
      for (let id = 0; id < 604; id++) {
        if (id !== seg && id !== rej) expect(row(own, id)).toEqual(row(old, id));
      }
      const drawn = [seg, rej, ...(SMALL_EIGHT.tokens.moreSegs ?? [])].flatMap((id) => row(own, id));
      expect(new Set(drawn).size).toBe(9 * size);
      expect(Math.max(...drawn.map(Math.abs))).toBeLessThan(0.1);
    }
    gsva.dispose();
    expect(tf.memory().numTensors).toBe(before);
    base.dispose();
  });

  test('a run on a model of a variant goes on with it, unless it says otherwise', async () => {
    const taught = join(scratch, 'variant');
    mkdirSync(taught);
    const model = smallModel(9, SMALL_TEXT);
    const variant = { ...GSVA_VARIANT, reject: false };
    await writeModel(taught, model, {
      meta: { ...META, stage: 'gsva', variant },
      tokenizerDir: TOKENIZER_DIR,
    });
    model.dispose();
    const partial = { ...smallConfig('data', { start: taught }), conversation: undefined };
    expect(readExperimentConfig(writeConfig(path, partial)).variant).toEqual(variant);
    expect(readExperimentConfig(path, [['variant', {}]]).variant).toEqual(GSVA_VARIANT);
  });

  test('what a configuration does not say of the model is as in the start folder', () => {
    const whole = smallConfig('data', { start });
    const partial = { ...whole, model: undefined, tokenizer: undefined, conversation: undefined };
    const config = readExperimentConfig(writeConfig(path, partial));
    expect(config).toMatchObject({ tokenizer: start, conversation: 'plain' });
    expect(config.model).toEqual({ ...SMALL_TEXT, lora: { ...SMALL_TEXT.lora, r: 0 } });
    const own = readExperimentConfig(writeConfig(path, { ...whole, tokenizer: undefined }));
    expect(own.model).toEqual(SMALL_TEXT);
    expect(() => readExperimentConfig(path, [['start', null]])).toThrow(/"tokenizer" is missing/);
    expect(() => readExperimentConfig(path, [['start', '/none']])).toThrow(/\/none/);
  });

  test('frozenWeights bf16: what is frozen is stored again as it was read, what was float32 is rounded and named', async () => {
    const sizes = { ...SMALL_TEXT, llm: { ...SMALL_TEXT.llm, numHiddenLayers: 1, intermediateSize: 5504 } }; // 3 matrices of 66048 numbers
    const model = smallModel(9, sizes);
    const matrices = [...model.namedParameters().keys()].filter(
      (name) => name.includes('.mlp.') && name.startsWith('model.layers'),
    );
    const changes = { model: modelConfigToJson(sizes), frozenWeights: 'bf16' };
    for (const dtype of ['BF16', 'F16', 'F32'] as const) {
      const [from, to] = [join(scratch, `from-${dtype}`), join(scratch, `to-${dtype}`)];
      for (const dir of [from, to]) mkdirSync(dir);
      const description = { meta: { ...META, stage: 'gsva' }, tokenizerDir: TOKENIZER_DIR };
      await writeModel(from, model, { ...description, dtype });
      const before = tf.memory().numTensors;
      const { network: gsva, rounded } = await build({ ...changes, start: from });
      expect([...gsva.packedParameters().keys()]).toEqual(matrices);
      expect(rounded).toEqual(dtype === 'F32' ? matrices : []);
      await writeModel(to, gsva, description);
      const [old, now] = [from, to].map((dir) => openSafetensors(join(dir, 'model.safetensors')).tensors);
      for (const name of matrices) {
        const [was, is] = [old, now].map((tensors) => tensors?.get(PUBLISHED_PREFIX + name) as FileTensor);
        const bits = was?.dtype === 'F32' ? float32ToBfloat16(was.read() as Float32Array) : was?.read();
        expect(is?.dtype).toBe(dtype === 'F32' ? 'BF16' : dtype);
        expect([
          name,
          largestDifference((is?.read() ?? []) as ArrayLike<number>, (bits ?? []) as ArrayLike<number>),
        ]).toEqual([name, 0]);
      }
      // And again into both kinds of run, exactly.
      loadModelWeights(to, gsva);
      const plain = (await build({ ...changes, frozenWeights: 'f32', start: to })).network;
      for (const name of matrices) {
        const bits = gsva.packedParameters().get(name)?.matrix.bits() ?? new Uint16Array(0);
        const numbers = dtype === 'F16' ? halfToFloat32(bits) : bfloat16ToFloat32(bits);
        expect([name, largestDifference(stored(plain, name).data, numbers)]).toEqual([name, 0]);
      }
      // A checkpoint of float32 is not rounded unasked.
      if (dtype === 'F32')
        expect(() => {
          loadModelWeights(from, gsva);
        }).toThrow(/stored as F32.*16 bits/);
      for (const layer of [gsva, plain]) layer.dispose();
      expect(tf.memory().numTensors).toBe(before);
    }
    model.dispose();
  });

  test('frozenWeights bf16 from random weights: those of float32, rounded', async () => {
    const sizes = { ...SMALL_TEXT, llm: { ...SMALL_TEXT.llm, numHiddenLayers: 1, intermediateSize: 5504 } };
    const model = modelConfigToJson(sizes);
    const { network: packed } = await build({ model, frozenWeights: 'bf16' });
    const { network: plain } = await build({ model, frozenWeights: 'f32' });
    for (const [name, { matrix }] of packed.packedParameters()) {
      const numbers = bfloat16ToFloat32(matrix.bits());
      const expected = stored(plain, name).data;
      // Drawn, rounded, scaled and rounded again: two halves of a unit in the 8th bit.
      const error = Math.max(
        ...numbers.map((value, i) => Math.abs(value - (expected[i] ?? NaN)) / Math.abs(expected[i] ?? NaN)),
      );
      expect([name, error < 2 ** -7]).toEqual([name, true]);
    }
    for (const [name, variable] of variablesOf(packed))
      expect([name, valuesOf(variable)]).toEqual([name, valueOf(plain, name)]);
    for (const gsva of [packed, plain]) gsva.dispose();
  });

  test('a stage of the base takes every row as it is', async () => {
    const data = { kind: 'scenes', seed: 1, scenes: 2, itemsPerScene: 1, validationScenes: 1, forms: 'scene' };
    const { network: gsva } = await build({ stage: 'base-joint', start, data });
    const base = smallModel(8, { ...SMALL_TEXT, lora: { ...SMALL_TEXT.lora, r: 0 } });
    expect(stored(gsva, 'model.embed_tokens.weight')).toEqual(stored(base, 'model.embed_tokens.weight'));
    base.dispose();
    gsva.dispose();
  });

  test.each<[string, [string, unknown], RegExp]>([
    ['a start that is not there', ['start', '/none'], /\/none/],
    ['a start of other sizes', ['model.llm.hidden_size', 16], /model\.safetensors: tensor .* has shape/],
    ['ids that the tokenizer does not give', ['model.tokens.seg', 599], /gives the id 600 to \[SEG\].*599/],
    ['an unknown system', ['model.system', 'gvsa'], /there is no system "gvsa" \(did you mean "gsva"\?\)/],
    ['too small a vocabulary', ['model.llm.vocab_size', 603], /604 tokens/],
    ['a tokenizer that is not there', ['tokenizer', '/none'], /\/none/],
  ])('refuses %s and leaves nothing allocated', async (_, override, message) => {
    const before = tf.memory().numTensors;
    await expect(build({ start }, [override])).rejects.toThrow(message);
    expect(tf.memory().numTensors).toBe(before);
  });
});

test('baseTask: a smaller F_V2 starts from the first layers of the larger, which it learns from', async () => {
  const before = tf.memory().numTensors;
  const data = { kind: 'scenes', seed: 1, scenes: 2, itemsPerScene: 1, validationScenes: 1, forms: 'scene' } as const;
  const smaller: [string, unknown][] = [
    ['model.sam.depth', 1],
    ['model.lora.r', 0],
  ];
  await expect(build({ stage: 'base-joint', start, data }, smaller)).rejects.toThrow(
    /holds, but this model has no place for/,
  );
  const experiment = await build({ stage: 'base-distill', start, data }, smaller);
  const task = baseTask(experiment, data);
  expect(task).toBeInstanceOf(BaseDistillTask);
  await task.samples(new Random(1), () => undefined).close?.();
  experiment.network.dispose();
  const unstarted = await build({ stage: 'base-distill', data }, smaller);
  expect(() => baseTask(unstarted, data)).toThrow('names no model to learn from');
  unstarted.network.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

test('baseTask: the task of each stage; a checkpoint of each restores its weights', async () => {
  const data = { kind: 'scenes', seed: 1, scenes: 3, itemsPerScene: 2, validationScenes: 1, forms: 'scene' } as const;
  for (const [stage, kind] of [
    ['base-clip', BaseClipTask],
    ['base-sam', BaseSamTask],
    ['base-caption', BaseCaptionTask],
    ['base-grounding', BaseGroundingTask],
    ['base-joint', BaseGroundingTask],
  ] as const) {
    const experiment = await build({ stage, data });
    const task = baseTask(experiment, data);
    expect(task).toBeInstanceOf(kind);
    expect(task.sampleCount).toBe(3);
    const dir = join(scratch, stage);
    mkdirSync(dir);
    writePendingFiles(dir, await task.checkpointFiles());
    const before = [...task.variables.values()].map(valuesOf);
    for (const variable of task.variables.values()) tf.tidy(() => variable.assign(tf.add(variable, 1)));
    await task.restore(dir);
    expect([...task.variables.values()].map(valuesOf)).toEqual(before);
    experiment.network.dispose();
  }
});

/** Builds without the millions of random draws, where no value matters. */
async function withoutDraws<T>(build: () => Promise<T>): Promise<T> {
  const proto = Random.prototype;
  const descriptor = Object.getOwnPropertyDescriptor(proto, 'normal') ?? {};
  Object.defineProperty(proto, 'normal', { ...descriptor, value: () => 0.5 });
  try {
    return await build();
  } finally {
    Object.defineProperty(proto, 'normal', descriptor);
  }
}

/** The values of a parameter as the model holds them. */
function valueOf(model: Parameters<typeof variablesOf>[0], name: string): Float32Array {
  return valuesOf(variablesOf(model).get(name) as tf.Variable);
}
