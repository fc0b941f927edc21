/** Configuration files of training runs: what is read, what is refused and how, and overrides. */
import { afterAll, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { modelConfigToJson } from '../../../src/systems/shared/model-config.js';
import { UserError } from '../../../src/errors.js';
import { readExperimentConfig } from '../../../src/training/config/experiment-config.js';
import { GSVA_VARIANT } from '../../../src/systems/shared/variant.js';
import { SMALL_TEXT, smallConfig, writeConfig } from '../../helpers/small-experiment.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-config-'));
const path = join(scratch, 'run.json5');
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

type Override = readonly [string, unknown];
const read = (overrides: readonly Override[] = [], changes: Record<string, unknown> = {}) =>
  readExperimentConfig(writeConfig(path, smallConfig('data', changes)), overrides);

describe('readExperimentConfig', () => {
  test('reads every key', () => {
    const config = read();
    expect(config).toEqual({
      ...smallConfig('data'),
      drawn: [],
      model: SMALL_TEXT,
      variant: GSVA_VARIANT,
      knows: null,
      frozenWeights: 'f32',
      training: expect.anything(),
      recompute: true,
    });
    expect(read([['training.recompute', false]]).recompute).toBe(false);
    expect(() => read([['training.recompute', 0]])).toThrow(/recompute.*true or false/);
    expect(config.training).toEqual({
      ...(smallConfig('data')['training'] as object),
      accumulate: 'mean',
      optimizer: { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, clipNorm: 1 },
      watchEvery: 10,
      flatWindow: 100,
    });
  });

  test('how a run is watched', () => {
    const { training } = read([
      ['training.watchEvery', 0],
      ['training.flatWindow', 50],
    ]);
    expect(training).toMatchObject({ watchEvery: 0, flatWindow: 50 });
    expect(() => read([['training.watchEvery', -1]])).toThrow(/"training.watchEvery" is -1/);
  });

  test('what may be left out: start, bestMetric, clipNorm, maxMinutes', () => {
    const config = read([
      ['start', 'folder'],
      ['training.bestMetric', null],
      ['training.optimizer.clipNorm', null],
      ['training.optimizer.learningRateMultipliers', { lm_head: 0.1 }],
      ['training.schedule.maxMinutes', 3],
    ]);
    expect(config.start).toBe('folder');
    expect(config.training.bestMetric).toBeUndefined();
    expect(config.training.optimizer).toMatchObject({ clipNorm: null, learningRateMultipliers: { lm_head: 0.1 } });
    expect(config.training.schedule.maxMinutes).toBe(3);
  });

  test('the system: written, else that of the start model, else GSVA', () => {
    const model: Record<string, unknown> = { ...modelConfigToJson(SMALL_TEXT), system: undefined };
    const start = join(scratch, 'of-another');
    mkdirSync(start);
    writeFileSync(join(start, 'config.json'), JSON.stringify({ system: 'lisa' }));
    expect(read([], { model }).model.system).toBe('gsva');
    expect(read([], { start, model }).model.system).toBe('lisa');
    expect(read([], { start, model, system: 'gsva' }).model.system).toBe('gsva');
    expect(() => read([], { system: 'gvsa' })).toThrow(/"system" is "gvsa", expected one of "gsva"/);
  });

  test('frozenWeights: bf16 for GSVA; the base holds float32, since its stages take turns in training', () => {
    expect(read([], { frozenWeights: 'bf16' }).frozenWeights).toBe('bf16');
    expect(() => read([], { frozenWeights: 'int8' })).toThrow(
      /"frozenWeights" is "int8", expected one of "f32", "bf16"/,
    );
    const data = { kind: 'scenes', seed: 0, scenes: 5, itemsPerScene: 2, validationScenes: 1 };
    const base = { stage: 'base-clip', data };
    expect(read([], { ...base, frozenWeights: 'f32' }).frozenWeights).toBe('f32');
    expect(() => read([], { ...base, frozenWeights: 'bf16' })).toThrow(
      /run\.json5: "frozenWeights" is "bf16", expected "f32" in the stage "base-clip"/,
    );
  });

  test('data of the other kind', () => {
    const data = { kind: 'scenes', seed: 0, scenes: 5, itemsPerScene: 2, validationScenes: 1 };
    expect(read([], { stage: 'base-joint', data }).data).toEqual({ ...data, forms: 'scene' });
    const trained = { ...data, forms: 'trained' };
    expect(read([], { stage: 'base-joint', data: trained }).data).toEqual(trained);
    expect(() => read([], { stage: 'base-joint', data: { ...data, forms: 'train' } })).toThrow(/data\.forms.*trained/);
  });

  test('own data: a file, and perhaps another one to validate on', () => {
    const data = { kind: 'jsonl', file: 'my.jsonl', expressionsPerSample: 5, validationImages: 40 };
    const whole = { ...data, valFile: null, generateImages: 4 };
    expect(read([], { data }).data).toEqual(whole);
    expect(read([['data.valFile', 'val.jsonl']], { data }).data).toEqual({ ...whole, valFile: 'val.jsonl' });
    expect(read([['data.generateImages', 0]], { data }).data).toEqual({ ...whole, generateImages: 0 });
    expect(() => read([['data.dir', 'folder']], { data })).toThrow(/unknown key "data\.dir"; .*file/);
  });

  test.each<[string, Override, RegExp]>([
    ['an unknown key', ['trainig', 1], /unknown key "trainig"; .*training/],
    ['an unknown key inside', ['training.batchsize', 4], /unknown key "training\.batchsize"; .*"training\.batchSize"/],
    ['a key of the other kind of data', ['data.scenes', 4], /unknown key "data\.scenes"/],
    [
      'a key without the objects around it',
      ['optimizer.beta1', 0.5],
      /"optimizer.beta1" cannot be set: there is no "optimizer".*did you mean "training.optimizer.beta1"/,
    ],
    ['a last part alone', ['batchSize', 4], /unknown key "batchSize"; did you mean "training.batchSize"/],
    ['a mistyped object', ['training.optimiser.beta1', 1], /no "training.optimiser".*"training.optimizer.beta1"/],
    [
      'a warm-up as long as the run',
      ['training.schedule.totalUpdates', 1],
      /warmupUpdates" is .* below totalUpdates \(1\)/,
    ],
    ['no minutes', ['training.schedule.maxMinutes', 0], /maxMinutes" is 0, expected a number above 0/],
    ['no learning rate', ['training.schedule.learningRate', 0], /learningRate" is 0, expected a number above 0/],
    [
      'a mistyped key far inside',
      ['training.schedule.totalUpdate', 9],
      /"training\.schedule\.totalUpdate"; .*mean "training\.schedule\.totalUpdates"/,
    ],
    ['a mistyped key of an optional object', ['data.validation.set', 'x'], /unknown key "data\.validation"/],
    ['a key below a number', ['maxLength.x', 1], /"maxLength" is 400, expected an object/],
    [
      'two lengths of the run',
      ['training.schedule.totalEpochs', 2],
      /"training.schedule.totalUpdates" is 3, expected null/,
    ],
    ['an unknown stage', ['stage', 'gsav'], /"stage" is "gsav", expected one of "grounding", "gsva"/],
    ['a fraction of a batch', ['training.batchSize', 1.5], /"training.batchSize" is 1.5, expected a whole number/],
    ['no batch', ['training.batchSize', 0], /"training.batchSize" is 0, expected a whole number of at least 1/],
    ['a fraction of micro-batches', ['training.accumulation', 1.5], /"training.accumulation" is 1.5/],
    ['no samples ahead', ['training.prefetch', 0], /"training.prefetch" is 0/],
    ['a seed below 0', ['training.seed', -1], /"training.seed" is -1/],
    ['validation never so often', ['training.validateEvery', -1], /"training.validateEvery" is -1/],
    ['half a checkpoint', ['training.keepCheckpoints', 0.5], /"training.keepCheckpoints" is 0.5, expected a whole/],
    ['a rate below 0', ['training.schedule.learningRate', -1], /learningRate" is -1, expected a number above 0/],
    ['no updates', ['training.schedule.totalUpdates', 0], /totalUpdates" is 0/],
    ['a fraction of an update', ['training.schedule.totalUpdates', 1.5], /totalUpdates" is 1.5/],
    ['a warm-up below 0', ['training.schedule.warmupUpdates', -1], /warmupUpdates" is -1/],
    ['a moment that never fades', ['training.optimizer.beta1', 1], /beta1" is 1, expected a number from 0 to below 1/],
    ['no number of a moment', ['training.optimizer.beta2', NaN], /beta2" is NaN/],
    ['no epsilon', ['training.optimizer.eps', 0], /eps" is 0, expected a number above 0/],
    ['growing weights', ['training.optimizer.weightDecay', -0.1], /weightDecay" is -0.1/],
    ['a clipping to nothing', ['training.optimizer.clipNorm', 0], /clipNorm" is 0, expected a number above 0/],
    ['a factor below 0', ['training.optimizer.learningRateMultipliers.mask', -1], /Multipliers.mask" is -1/],
    ['no expressions', ['data.expressionsPerSample', 0], /"data.expressionsPerSample" is 0.*at least 1/],
    ['a word for a number', ['training.schedule.learningRate', 'fast'], /learningRate" is "fast", expected a number/],
    ['not a number', ['training.schedule.learningRate', NaN], /learningRate" is NaN/],
    ['a mistyped size', ['model.lora.rank', 4], /run\.json5: unknown key "model\.lora\.rank"/],
    ['a list for an object', ['training', []], /"training" is a list of 0, expected an object/],
  ])('refuses %s, naming file and key', (_, override, message) => {
    const wrong = () => read([override]);
    expect(wrong).toThrow(UserError);
    expect(wrong).toThrow(message);
    expect(wrong).toThrow('run.json5');
  });

  test.each(Object.keys(smallConfig('data')).filter((key) => key !== 'start'))('refuses a file without "%s"', (key) => {
    const others = Object.entries(smallConfig('data')).filter(([name]) => name !== key);
    writeConfig(path, Object.fromEntries(others));
    expect(() => readExperimentConfig(path)).toThrow(key);
    expect(() => readExperimentConfig(path)).toThrow(UserError);
  });

  test('a variant: what it leaves out is as published', () => {
    expect(read([], { variant: { reject: false, minimumPixels: 20 } }).variant).toEqual({
      ...GSVA_VARIANT,
      reject: false,
      minimumPixels: 20,
    });
    expect(read([['variant', { segTokens: 8 }]]).variant.segTokens).toBe(8);
  });

  test.each<[string, unknown, RegExp]>([
    ['a mistyped key', { rejects: false }, /unknown key "variant\.rejects"; did you mean "variant\.reject"/],
    ['a word for a flag', { reject: 'no' }, /"variant.reject" is "no", expected true or false/],
    ['too many [SEG]', { segTokens: 9 }, /"variant.segTokens" is 9, expected a whole number from 1 to 8/],
    [
      'several embeddings of a single [SEG]',
      { segTokens: 2, multipleSeg: false },
      /"variant.segTokens" is 2, expected 1/,
    ],
    ['a rule of pixels beside [REJ]', { minimumPixels: 20 }, /"variant.minimumPixels" is 20, expected nothing/],
  ])('refuses a variant with %s', (_, variant, message) => {
    expect(() => read([], { variant })).toThrow(message);
  });

  test('a file that extends another says only what differs', () => {
    writeConfig(path, smallConfig('data'));
    mkdirSync(join(scratch, 'rows'), { recursive: true });
    const row = join(scratch, 'rows', 'row.json5');
    const training = { batchSize: 7, bestMetric: null };
    writeConfig(row, {
      extends: '../run.json5',
      description: 'a row',
      training,
      model: { lora: { targets: ['q_proj'] } },
    });
    const [base, config] = [readExperimentConfig(path), readExperimentConfig(row, [['training.seed', 5]])];
    expect(config).toEqual({
      ...base,
      description: 'a row',
      model: { ...base.model, lora: { ...base.model.lora, targets: ['q_proj'] } },
      training: { ...base.training, batchSize: 7, seed: 5, bestMetric: undefined },
    });
    writeConfig(row, { extends: '../run.json5', training: { batchsize: 7 } });
    expect(() => readExperimentConfig(row)).toThrow(/row\.json5: unknown key "training\.batchsize"/);
    writeConfig(row, { extends: 'row.json5' });
    expect(() => readExperimentConfig(row)).toThrow(/row\.json5: "extends" .*extend each other/);
    writeConfig(row, { extends: 'none.json5' });
    expect(() => readExperimentConfig(row)).toThrow(/none\.json5/);
    writeConfig(row, { extends: 3 });
    expect(() => readExperimentConfig(row)).toThrow(/"extends" is 3, expected a text/);
  });

  test('a file that extends several: of two that say something of the same key, the later one counts', () => {
    writeConfig(path, smallConfig('data'));
    writeConfig(join(scratch, 'size.json5'), { maxLength: 300, training: { batchSize: 5, accumulation: 4 } });
    writeConfig(join(scratch, 'stage.json5'), { training: { batchSize: 7 } });
    const both = join(scratch, 'both.json5');
    writeConfig(both, { extends: ['run.json5', 'size.json5', 'stage.json5'], training: { seed: 9 } });
    expect(readExperimentConfig(both)).toMatchObject({
      maxLength: 300,
      training: { batchSize: 7, accumulation: 4, seed: 9, prefetch: 2 },
    });
    writeConfig(both, { extends: ['run.json5', 3] });
    expect(() => readExperimentConfig(both)).toThrow(/"extends\[1\]" is 3, expected a text/);
  });

  test('--set makes the optional objects that the file does not have', () => {
    expect(read([['variant.reject', false]]).variant).toEqual({ ...GSVA_VARIANT, reject: false });
    expect(read([['training.optimizer.learningRateMultipliers.lm_head', 2]]).training.optimizer).toMatchObject({
      learningRateMultipliers: { lm_head: 2 },
    });
  });

  test('a length in epochs', () => {
    const schedule = { learningRate: 1e-3, warmupUpdates: 1, totalEpochs: 2.5, decay: 'linear' };
    const training = { ...(smallConfig('data')['training'] as object), schedule };
    expect(read([], { training }).training.schedule).toEqual(schedule);
    expect(() => read([['training.schedule.totalUpdates', 4]], { training })).toThrow(
      /expected null where totalEpochs/,
    );
  });

  test("a schedule's form by name; one that does not decay linearly is refused", () => {
    expect(read().training.schedule.form).toBeUndefined();
    for (const form of ['linear', 'published', 'published-0.19']) {
      expect(read([['training.schedule.form', form]]).training.schedule.form).toBe(form);
    }
    expect(() => read([['training.schedule.form', 'deepspeed']])).toThrow(/training\.schedule\.form.*published/);
    const cosine: [string, unknown][] = [
      ['training.schedule.form', 'published'],
      ['training.schedule.decay', 'cosine'],
    ];
    expect(() => read(cosine)).toThrow(/training\.schedule\.decay/);
  });

  test('a file that is no JSON5, or is missing, is named', () => {
    writeFileSync(path, '{ stage: ');
    expect(() => readExperimentConfig(path)).toThrow(UserError);
    expect(() => readExperimentConfig(path)).toThrow('run.json5');
    expect(() => readExperimentConfig(join(scratch, 'none.json5'))).toThrow('none.json5');
  });

  test('whatever one key is replaced by: a configuration or a UserError', () => {
    const keys = [
      'stage',
      'model',
      'model.llm.hidden_size',
      'start',
      'data',
      'data.kind',
      'training.optimizer',
      'x.y',
      '',
      '.',
    ];
    fc.assert(
      fc.property(fc.constantFrom(...keys, '__proto__', 'training.__proto__.seed'), fc.jsonValue(), (key, value) => {
        try {
          read([[key, value]]);
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
        expect(Object.hasOwn(Object.prototype, 'seed')).toBe(false);
      }),
      { numRuns: 150, seed: 1 },
    );
  });
});
