/** Own data from the command line: import → validate → train → eval with a small model; files, answers, exit codes. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeSynthDataset } from '../../src/synthetic/writer.js';
import { startEngine } from '../../src/engine/engine.js';
import { readRunLog } from '../../src/training/watching/run-log.js';
import { type CliResult, runCli } from '../helpers/run-cli.js';
import { SMALL_TEXT, smallConfig, TOKENIZER_DIR, writeConfig } from '../helpers/small-experiment.js';
import { smallModel } from '../helpers/small-model.js';
import { writeModel } from '../helpers/model-folder.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-own-cli-'));
const at = (...parts: string[]): string => join(scratch, ...parts);
const set = at('set');
const instances = join(set, 'refer_seg', 'grefcoco', 'instances.json');
const images = join(set, 'refer_seg', 'images', 'mscoco', 'images', 'train2014');
const file = at('data.jsonl');

const cli = (...argv: string[]): Promise<CliResult> => runCli(argv);
const importCoco = (...more: string[]): Promise<CliResult> =>
  cli('data', 'import', 'coco', instances, '--images', images, '--out', file, ...more);
const eachFile = (folder: string): string[] => readdirSync(folder, { recursive: true }).map(String).sort();

/** Written as a model that has been trained by GSVA: start of a run, and something to evaluate. */
async function writeSmallModel(dir: string): Promise<void> {
  mkdirSync(dir);
  const gsva = smallModel(2, SMALL_TEXT);
  const meta = { conversation: 'plain', stage: 'gsva', description: 'small and random' };
  await writeModel(dir, gsva, { meta, tokenizerDir: TOKENIZER_DIR });
  gsva.dispose();
}

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
  await writeSynthDataset(set, { seed: 1, trainImages: 8, valImages: 0, testAImages: 0, testBImages: 0 });
  await writeSmallModel(at('model'));
});

afterAll(() => {
  rmSync(scratch, { recursive: true });
});

describe('gsva data import', () => {
  test('coco: writes one file and nothing into the dataset; replaces it only when told to', async () => {
    const before = eachFile(set);
    const first = await importCoco('--val', '0.25', '--absent', '1');
    expect(first).toMatchObject({ code: 0 });
    expect(first.stdout).toMatch(
      /data\.jsonl: 8 images \(2 for val\), \d+ expressions, [78] of them absent\nnode bin\/gsva\.js data validate/,
    );
    expect(eachFile(set)).toEqual(before);
    expect(readdirSync(scratch).sort()).toEqual(['data.jsonl', 'model', 'set']);

    const content = readFileSync(file, 'utf8');
    const second = await importCoco();
    expect(second).toMatchObject({ code: 1, stdout: '' });
    expect(second.stderr).toMatch(/^gsva data import coco: .*data\.jsonl exists; .*--overwrite\n$/);
    const third = await importCoco('--val', '0.25', '--absent', '1', '--overwrite', '--json');
    expect(JSON.parse(third.stdout)).toMatchObject({
      out: file,
      images: 8,
      val: 2,
      leftOut: { missingImages: 0, withoutMasks: 0, emptyMasks: 0 },
    });
    expect(readFileSync(file, 'utf8')).toBe(content);
  });

  test('labelme: what has no inside is left out, and said so', async () => {
    mkdirSync(at('labelled'));
    const [name = ''] = readdirSync(images);
    const shapes = [
      { label: 'a_spot', points: [[10, 10]], shape_type: 'point' },
      { label: 'red_thing', points: [[10, 10], [40, 40]], shape_type: 'rectangle' }, // prettier-ignore
    ];
    writeFileSync(at('labelled', '1.json'), JSON.stringify({ imagePath: join(images, name), shapes }));
    const { code, stdout, stderr } = await cli('data', 'import', 'labelme', at('labelled'), '--out', at('l.jsonl'));
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /left out: 1 points and lines, which have no inside\n +.*1\.json: "shapes\[0\]": "a spot" is of type "point"/,
    );
    expect(stdout).toContain('l.jsonl: 1 images (0 for val), 1 expressions');
    expect(readFileSync(at('l.jsonl'), 'utf8')).toContain('"text":"red thing"');
  });

  test('wrong usage and missing files', async () => {
    expect(await cli('data', 'import', 'labelme', at('none'), '--out', at('x.jsonl'))).toMatchObject({ code: 1 });
    const share = await importCoco('--overwrite', '--val', '1');
    expect(share).toMatchObject({ code: 2 });
    expect(share.stderr).toContain('--val must be from 0 to 0.9');
    const missing = await cli('data', 'import', 'coco', at('no.json'), '--images', images, '--out', at('x.jsonl'));
    expect(missing).toMatchObject({ code: 1 });
    expect(missing.stderr).toMatch(/no file .*no\.json \(COCO's instances\)/);
  });
});

describe('gsva data validate', () => {
  test('a table of what is in the file', async () => {
    const { code, stdout } = await cli('data', 'validate', file);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /split +images +expressions +of several parts +absent\n +train +6 .*\n +val +2 .*\n.*jsonl: fine\n$/,
    );
  });

  test('problems by line, at most so many, and exit code 1', async () => {
    const [first = ''] = readFileSync(file, 'utf8').split('\n');
    writeFileSync(at('bad.jsonl'), `${first}\n{}\n[]\n`);
    const { code, stdout } = await cli('data', 'validate', at('bad.jsonl'), '--show', '1');
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^bad\.jsonl, line 2: .*"image" is missing.*\nand 1 more\n(.*\n)+.*bad\.jsonl: 2 problems\n$/,
    );
    const json = await cli('data', 'validate', at('bad.jsonl'), '--json');
    expect(json.code).toBe(1);
    const answer: unknown = JSON.parse(json.stdout);
    expect(answer).toMatchObject({ pass: false, totalProblems: 2, problems: [{ line: 2 }, { line: 3 }] });
  });

  test('an empty file is not fine', async () => {
    writeFileSync(at('empty.jsonl'), '\n');
    const { code, stdout } = await cli('data', 'validate', at('empty.jsonl'));
    expect(code).toBe(1);
    expect(stdout).toMatch(/empty\.jsonl: nothing is in it/);
  });
});

describe('training and evaluating on it', () => {
  /** Like configs/own-data.json5: what it does not say comes from the start model. */
  const config = (): string => {
    const { stage, maxLength, training } = smallConfig('');
    const data = { kind: 'jsonl', file: 'none.jsonl', expressionsPerSample: 3, validationImages: 2 };
    return writeConfig(at('own.json5'), { stage, maxLength, training, description: 'own', start: at('model'), data });
  };

  test('one command trains and validates; the model is evaluated on either split', async () => {
    const trained = await cli('train', '--config', config(), '--data', file, '--out', at('run'), '--engine', 'wasm');
    expect(trained).toMatchObject({ code: 0 });
    expect(trained.stdout).toMatch(/^trained: 3 updates in .*best gIoU/);
    const { updates, validations } = readRunLog(at('run', 'log.jsonl'));
    expect([updates.length, validations.length]).toEqual([3, 1]);
    const model = ['--model', at('run', 'last'), '--engine', 'wasm'];
    const val = await cli('eval', '--data', file, '--json', ...model);
    expect(JSON.parse(val.stdout)).toMatchObject({ dataset: 'own', split: 'val', images: 2 });
    const train = await cli('eval', '--data', file, '--split', 'train', '--json', ...model);
    expect(JSON.parse(train.stdout)).toMatchObject({ dataset: 'own', split: 'train', images: 6 });
    const other = await cli('eval', '--data', file, '--split', 'testA', ...model);
    expect(other).toMatchObject({ code: 1 });
    expect(other.stderr).toContain('has no split "testA"; own data is divided into train, val and test');
  });

  test('without images for val: what to do, or another file', async () => {
    const lines = readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    const plain = lines.map((line) => JSON.stringify({ ...line, split: undefined })).join('\n');
    writeFileSync(at('plain.jsonl'), plain);
    const train = (out: string, ...more: string[]): Promise<CliResult> =>
      cli('train', '--config', config(), '--data', at('plain.jsonl'), '--out', at(out), '--engine', 'wasm', ...more);
    const refused = await train('no');
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toMatch(/plain\.jsonl: no line has "split": "val".*--val 0\.1.*valFile.*validateEvery=0/);
    const withFile = await train('a', '--set', `data.valFile=${file}`);
    expect(withFile).toMatchObject({ code: 0 });
    const without = await train('b', '--set', 'training.validateEvery=0', 'training.bestMetric=null');
    expect(without).toMatchObject({ code: 0 });
  });

  test('problems stop it before anything is written, with their lines', async () => {
    const failed = await cli(
      'train',
      '--config',
      config(),
      '--data',
      at('bad.jsonl'),
      '--out',
      at('c'),
      '--engine',
      'wasm',
    );
    expect(failed).toMatchObject({ code: 1 });
    expect(failed.stderr).toMatch(
      /gsva train: bad\.jsonl, line 2: .*bad\.jsonl, line 3: .*`node bin\/gsva\.js data validate .*`/,
    );
    expect(readdirSync(scratch)).not.toContain('c');
  });
});
