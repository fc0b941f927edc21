/** Whether models, configurations and datasets can be used: whole ones, damaged ones, ones too large. */
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { writeSynthDataset } from '../../src/synthetic/writer.js';
import { type Place, examineConfig, examineData, examineModel } from '../../src/doctor/subjects.js';
import * as tf from '../../src/engine/tf.js';
import { spoiledModel } from '../helpers/spoiled-model.js';

const GIBIBYTE = 2 ** 30;
const PLACE: Place = {
  memory: { total: 32 * GIBIBYTE, available: 20 * GIBIBYTE, containerLimit: null },
  engine: 'openblas',
};
const scratch = mkdtempSync(join(tmpdir(), 'gsva-doctor-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

describe('a model', () => {
  test('that is whole and fits; no tensor is left', async () => {
    const findings = await examineModel(resolve('checkpoints/tiny'), PLACE);
    expect(findings).toMatchObject([
      { state: 'ok', found: expect.stringMatching(/is complete: 3\.2 M parameters/) },
      { state: 'ok', found: expect.stringMatching(/^all weights are finite \(\d/) },
      { state: 'ok', found: expect.stringMatching(/^inference on openblas takes/) },
    ]);
    expect(tf.memory().numTensors).toBe(0);
  });

  test('whose weights are cut off, whose tokenizer is another, or that is not there', async () => {
    const cut = join(scratch, 'cut');
    cpSync('checkpoints/tiny', cut, { recursive: true });
    truncateSync(join(cut, 'model.safetensors'), 5_000_000);
    expect(await examineModel(cut, PLACE)).toMatchObject([
      { state: 'problem', found: expect.stringMatching(/model\.safetensors.*cut off/) },
    ]);
    const other = join(scratch, 'other');
    cpSync('checkpoints/tiny', other, { recursive: true });
    const config = JSON.parse(readFileSync(join(other, 'config.json'), 'utf8')) as { tokens: { seg: number } };
    config.tokens.seg -= 1;
    writeFileSync(join(other, 'config.json'), JSON.stringify(config));
    expect(await examineModel(other, PLACE)).toMatchObject([{ state: 'problem' }]);
    expect(await examineModel(join(scratch, 'none'), PLACE)).toMatchObject([
      { state: 'problem', found: expect.stringMatching(/there is no folder .*none/) },
    ]);
  });

  test.each([
    ['model.norm.weight', NaN, '1 NaN'],
    ['lm_head.weight', Infinity, '1 infinite'],
  ])('with a number in %s that is %s', async (name, value, count) => {
    const broken = spoiledModel('checkpoints/tiny', join(scratch, name), name, value);
    const [complete, values] = await examineModel(broken, PLACE);
    expect(complete).toMatchObject({ state: 'ok' });
    expect(values?.state).toBe('problem');
    expect(values?.found).toMatch(new RegExp(`${name} holds ${count} of \\d+ numbers, at \\[`));
    expect(values?.fix).toMatch(/gsva\.js inspect --stats \S*model\.safetensors --match \S+/);
  });

  test('whose weights take longer to read than there is time says what it did not look at', async () => {
    const [, values] = await examineModel(resolve('checkpoints/tiny'), PLACE, 0);
    expect(values?.state).toBe('note');
    expect(values?.found).toMatch(/looked at in 0 s are finite \(1 of \d+ tensors.*the others were not looked at/);
    expect(values?.fix).toMatch(/gsva\.js inspect --stats/);
  });

  test('that is too large; another engine is named only where it helps', async () => {
    const little = { ...PLACE, memory: { ...PLACE.memory, available: 1e6 } };
    expect(await examineModel(resolve('checkpoints/tiny'), little)).toMatchObject([
      { state: 'ok' },
      { state: 'ok' },
      { state: 'problem', fix: expect.stringMatching(/more memory/) },
    ]);
  });
});

describe('a configuration', () => {
  test('names what it starts from; data that is missing is a problem of its own', async () => {
    const path = join(scratch, 'sam.json5');
    cpSync('configs/shared', join(scratch, 'shared'), { recursive: true });
    const text = readFileSync('configs/tiny-base-1-sam.json5', 'utf8');
    writeFileSync(path, text.replace(/batchSize: \d+/, 'batchSize: 1'));
    const findings = await examineConfig(path, PLACE);
    expect(findings).toMatchObject([
      { state: 'ok', found: expect.stringMatching(/training configuration/) },
      { state: 'ok', found: expect.stringMatching(/^training on openblas takes/) },
      { state: 'ok', found: expect.stringMatching(/starts from random weights/) },
    ]);
  });

  test('with a mistake is a problem that names file and key', async () => {
    const path = join(scratch, 'wrong.json5');
    writeFileSync(path, '{ stage: "gsva" }');
    expect(await examineConfig(path, PLACE)).toMatchObject([
      { state: 'problem', found: expect.stringMatching(/wrong\.json5/) },
    ]);
  });
});

describe('a dataset', () => {
  const dir = join(scratch, 'synth');

  test('is counted, split by split', async () => {
    await writeSynthDataset(dir, { seed: 1, trainImages: 3, valImages: 2, testAImages: 1, testBImages: 1 });
    expect(examineData(dir).map(({ state, found }) => [state, found.replace(dir, 'DIR')])).toEqual([
      ['ok', 'DIR, train: 3 images, 27 expressions'],
      ['ok', 'DIR, val: 2 images, 18 expressions'],
      ['ok', 'DIR, testA: 1 images, 9 expressions'],
      ['ok', 'DIR, testB: 1 images, 9 expressions'],
    ]);
  });

  test('without its images, or its annotations, is a problem', () => {
    const images = join(dir, 'refer_seg', 'images', 'mscoco', 'images', 'train2014');
    rmSync(images, { recursive: true });
    expect(examineData(dir)).toMatchObject([{ state: 'problem' }]);
    expect(examineData(join(scratch, 'none'))).toMatchObject([{ state: 'problem' }]);
  });
});
