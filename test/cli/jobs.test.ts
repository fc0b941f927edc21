/** train → segment → eval on a handful of images and a small model: files, answers, exit codes, nothing half-written. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GRefCoco } from '../../src/data/refer/refcoco.js';
import { writeSynthDataset } from '../../src/synthetic/writer.js';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { generate } from '../../src/inference/generate.js';
import { loadPredictor } from '../../src/inference/open-model.js';
import { readImage } from '../../src/io/image/image-file.js';
import { SamBlock } from '../../src/networks/sam/image-encoder.js';
import { readRunLog } from '../../src/training/watching/run-log.js';
import { type CliOptions, type CliResult, runCli } from '../helpers/run-cli.js';
import { SMALL_TEXT, smallConfig, TOKENIZER_DIR, writeConfig } from '../helpers/small-experiment.js';
import { smallModel } from '../helpers/small-model.js';
import { networkOf, swapHeadColumns } from '../inference/tiny-predictor.js';
import { writeModel } from '../helpers/model-folder.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-jobs-'));
const at = (...parts: string[]): string => join(scratch, ...parts);
const data = at('data');
const model = at('model');
const config = at('run.json5');
let image = '';

const cli = (argv: readonly string[], options?: CliOptions): Promise<CliResult> =>
  runCli([...argv, '--engine', 'wasm'], options);
const train = (out: string, ...more: string[]): Promise<CliResult> =>
  cli(['train', '--config', config, '--out', out, ...more]);
const segment = (...more: string[]): Promise<CliResult> =>
  cli(['segment', '--image', image, '--model', model, ...more]);

/** The error's own line; the engine is announced in the lines before it. */
function lastLine(stderr: string): string {
  return stderr.trimEnd().split('\n').at(-1) ?? '';
}

/** Hidden names are those of temporary files and folders. */
function expectNothingHalfWritten(dir = scratch): void {
  const hidden = readdirSync(dir, { recursive: true }).filter((name) => /(^|[/\\])\./.test(String(name)));
  expect(hidden).toEqual([]);
}

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
  await writeSynthDataset(data, { seed: 1, trainImages: 5, valImages: 3, testAImages: 0, testBImages: 0 });
  image = GRefCoco.open(data, 'val').images[0]?.path ?? '';
  mkdirSync(model);
  const gsva = smallModel(2, SMALL_TEXT);
  await writeModel(model, gsva, {
    meta: { conversation: 'plain', stage: 'gsva', description: 'small and random' },
    tokenizerDir: TOKENIZER_DIR,
  });
  gsva.dispose();
  writeConfig(config, smallConfig(data));
});

afterAll(() => {
  rmSync(scratch, { recursive: true });
});

describe('gsva train', () => {
  test('frozenWeights is said, with what it holds in 16 bits', async () => {
    const updates = ['--set', 'training.schedule.totalUpdates=2'];
    const { code, stderr } = await train(at('frozen'), '--set', 'frozenWeights=bf16', ...updates);
    expect(stderr).toMatch(/frozen weights: .* kept in 16 bits, converted/);
    expect(code).toBe(0);
  });

  test('writes checkpoints, log and plots; refuses to start over; --resume goes on; the result can be asked', async () => {
    const out = at('run');
    const before = tf.memory().numTensors;
    const first = await train(out);
    expect(first).toMatchObject({ code: 0 });
    expect(first.stdout).toMatch(/^trained: 3 updates in .*best gIoU [01]\.\d{3} at update 3\nmodel: .*last/);
    expect(tf.memory().numTensors).toBe(before);
    const files = ['best', 'last', 'log.jsonl', 'loss.svg', 'summary.html', 'validation.svg'];
    expect(readdirSync(out).sort()).toEqual(files);
    for (const name of ['config.json', 'meta.json', 'model.safetensors', 'tokenizer.model', 'state.json']) {
      expect([name, existsSync(join(out, 'last', name))]).toEqual([name, true]);
    }
    const log = readRunLog(join(out, 'log.jsonl'));
    expect(log.updates.map(({ update }) => update)).toEqual([1, 2, 3]);
    expect(log.header).toMatchObject({ stage: 'gsva' });
    const [validation] = log.validations;
    const rates = ['gen_present_seg', 'gen_absent_rej', 'gen_unanswered', 'gen_seg_per_answer', 'gen_rej_per_answer'];
    expect(Object.keys(validation?.metrics ?? {})).toEqual(['gIoU', 'cIoU', 'N_acc', 'T_acc', ...rates]);
    expect(readFileSync(join(out, 'summary.html'), 'utf8')).toMatch(
      /Free answers.*targets that are present, answered/s,
    );
    expect(readFileSync(join(out, 'loss.svg'), 'utf8')).toMatch(/^<svg[^]*<\/svg>\s*$/);

    const kept = readFileSync(join(out, 'last', 'model.safetensors'));
    const again = await train(out);
    expect(again).toMatchObject({ code: 1, stdout: '' });
    expect(lastLine(again.stderr)).toMatch(/^gsva train: .*run.*holds a run already.*--resume/);
    expect(readFileSync(join(out, 'last', 'model.safetensors'))).toEqual(kept);

    const resumed = await train(out, '--resume', '--set', 'training.schedule.totalUpdates=4');
    expect(resumed.code).toBe(0);
    expect(resumed.stdout).toMatch(/^trained: 4 updates/);
    const longer = readRunLog(join(out, 'log.jsonl')).updates;
    expect(longer.map(({ update }) => update)).toEqual([1, 2, 3, 4]);

    const reply = await cli(['segment', '--image', image, '--model', join(out, 'last'), '--expressions', 'red circle']);
    expect(reply.code).toBe(0);
    expectNothingHalfWritten();
  });

  test('--overfit: a few samples, again and again; exit code 1 where they are not learned, saying what to look at', async () => {
    const small = ['--set', 'training.schedule.totalUpdates=4', 'training.schedule.warmupUpdates=0'];
    const out = at('overfit');
    const learned = await train(out, '--overfit', '2', '--overfit-bound', '1000', ...small);
    expect(learned).toMatchObject({ code: 0 });
    expect(learned.stdout).toMatch(/\noverfitted: the loss of 2 samples is \d.*, the bound 1\.00e\+3\n/);
    const { updates, validations } = readRunLog(join(out, 'log.jsonl'));
    expect(validations).toEqual([]);
    expect(updates.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4]);
    const parts = ['embed_tokens', 'lm_head', 'lora_q_proj', 'lora_v_proj', 'mask_decoder', 'psi'];
    for (const update of updates) {
      expect(Object.keys(update.parts ?? {}).sort()).toEqual(parts);
      // Together they are the norm of all.
      const squares = Object.values(update.parts ?? {}).map(({ gradNorm }) => gradNorm ** 2);
      const together = Math.sqrt(squares.reduce((sum, square) => sum + square, 0));
      expect(together / update.gradNorm).toBeCloseTo(1, 3);
    }
    expect(readFileSync(join(out, 'summary.html'), 'utf8')).toMatch(/Gradient by part.*Update ratio by part/s);

    const failed = await train(at('overfit-fails'), '--overfit', '2', '--overfit-bound', '0', ...small);
    expect(failed).toMatchObject({ code: 1 });
    expect(failed.stderr).toMatch(/--overfit failed: the loss of 2 samples is \d.*, the bound 0\.00/);
    expect(failed.stderr).toMatch(/parts of the loss, first → last: .*ce .*bce .*dice /);
    const unbound = await train(at('overfit-unbound'), '--overfit-bound', '1');
    expect(unbound).toMatchObject({ code: 2 });
    expect(unbound.stderr).toMatch(/--overfit-bound is the bound of --overfit N/);
  });

  test('a run that never validates needs no val split', async () => {
    const only = at('train-only');
    await writeSynthDataset(only, { seed: 2, trainImages: 3, valImages: 0, testAImages: 0, testBImages: 0 });
    const out = at('run-train-only');
    const never = ['training.validateEvery=0', 'training.bestMetric=null', 'training.schedule.totalUpdates=2'];
    const result = await train(out, '--data', only, '--set', ...never);
    expect(result).toMatchObject({ code: 0 });
    expect(readRunLog(join(out, 'log.jsonl')).validations).toEqual([]);
  });

  test('interrupted: saves, says how to go on, ends with 130; --resume goes on from there', async () => {
    const out = at('stopped');
    const controller = new AbortController();
    const log = join(out, 'log.jsonl');
    const watch = setInterval(() => {
      if (existsSync(log) && readFileSync(log, 'utf8').includes('"type":"update"')) controller.abort();
    }, 5);
    const argv = ['train', '--config', config, '--out', out, '--set', 'training.schedule.totalUpdates=5000'];
    const quiet = ['training.validateEvery=5000', 'training.checkpointEvery=0'];
    const stopped = await cli([...argv, ...quiet], { signal: controller.signal });
    clearInterval(watch);
    expect(stopped.code).toBe(130);
    expect(stopped.stdout).toMatch(/^stopped and saved: \d+ updates.*\n[^]*--resume\n$/);
    const { updates, records } = readRunLog(log);
    expect(records.at(-1)).toMatchObject({ type: 'end', reason: 'aborted', update: updates.length });
    expect(updates.length).toBeLessThan(5000);
    const more = updates.length + 1;
    const resumed = await train(out, '--resume', '--set', `training.schedule.totalUpdates=${more}`);
    expect(resumed.code).toBe(0);
    expect(readRunLog(log).updates.at(-1)?.update).toBe(more);
    expectNothingHalfWritten();
  });

  test('--resume auto starts where there is nothing, goes on where there is something; nothing else is a way to resume', async () => {
    const out = at('auto');
    const first = await train(out, '--resume', 'auto', '--set', 'training.keepCheckpoints=1');
    expect(first.code).toBe(0);
    expect(first.stderr).toMatch(/no checkpoint in .*auto yet: the training starts from the beginning/);
    expect(readdirSync(out)).toEqual(expect.arrayContaining(['last', 'update-000003']));
    rmSync(join(out, 'last', 'optimizer.safetensors'));
    const more = ['--set', 'training.schedule.totalUpdates=4'];
    const second = await train(out, '--resume', 'auto', ...more);
    expect(second).toMatchObject({ code: 0 });
    expect(second.stderr).toMatch(
      /last is not used: .*optimizer\.safetensors[^]*Continuing from .*(update-000003|best) after update 3/,
    );
    const wrong = await train(out, '--resume', 'always');
    expect(wrong.code).toBe(2);
    expect(lastLine(wrong.stderr)).toMatch(/--resume is given alone or as --resume auto, not "always"/);
    expectNothingHalfWritten();
  });

  test('a stage of the base, on scenes made as they are needed', async () => {
    const scenes = { kind: 'scenes', seed: 1, scenes: 4, itemsPerScene: 2, validationScenes: 2 };
    const training = { ...(smallConfig(data)['training'] as object), bestMetric: null };
    for (const stage of ['base-clip', 'base-sam', 'base-caption', 'base-grounding', 'base-joint']) {
      const path = writeConfig(at(`${stage}.json5`), smallConfig(data, { stage, data: scenes, training }));
      const { code, stdout } = await cli(['train', '--config', path, '--out', at(stage)]);
      expect([stage, code]).toEqual([stage, 0]);
      expect(stdout).toMatch(/^trained: 3 updates/);
      const { validations } = readRunLog(at(stage, 'log.jsonl'));
      for (const value of Object.values(validations[0]?.metrics ?? { none: -1 })) {
        expect(value >= 0 && value <= 1).toBe(true);
      }
    }
  });

  test.each<[string, string[], RegExp]>([
    [
      'an unknown key',
      ['--set', 'training.batchsize=4'],
      /run\.json5: unknown key "training\.batchsize"; did you mean "training\.batchSize"/,
    ],
    [
      'a mistyped size',
      ['--set', 'model.lora.rank=4'],
      /run\.json5: unknown key "model\.lora\.rank"; known are r, alpha/,
    ],
    [
      'a value of another kind',
      ['--set', 'maxLength=long'],
      /run\.json5: "maxLength" is "long", expected a whole number/,
    ],
    ['a start that is not there', ['--set', 'start=/none'], /there is no folder \/none;/],
    ['data without the dataset', ['--data', tmpdir()], /gRefCOCO.*is missing/],
    ['a figure that validation does not give', ['--set', 'training.bestMetric.name=mIoU'], /no figure "mIoU".*gIoU/],
    ['no run to resume', ['--resume'], /there is no checkpoint at .*last/],
  ])('%s: exit code 1 and one line', async (name, more, message) => {
    const before = tf.memory().numTensors;
    const out = at(`refused ${name}`);
    const { code, stdout, stderr } = await train(out, ...more);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(lastLine(stderr)).toMatch(message);
    expect(lastLine(stderr)).toMatch(/^gsva train: /);
    expect(stderr).not.toContain('unexpected error');
    expect(tf.memory().numTensors).toBe(before);
    expectNothingHalfWritten();
  });

  test('an image that cannot be read ends the run and is named', async () => {
    const broken = at('broken-data');
    cpSync(data, broken, { recursive: true });
    for (const { path } of GRefCoco.open(broken, 'train').images) writeFileSync(path, 'not an image');
    const { code, stderr } = await train(at('broken-run'), '--data', broken);
    expect(code).toBe(1);
    expect(lastLine(stderr)).toMatch(/^gsva train: .*\.jpg/);
    expect(stderr).not.toContain('unexpected error');
  });
});

describe('gsva segment', () => {
  test('prints a row for each expression, and the answer', async () => {
    const before = tf.memory().numTensors;
    const { code, stdout } = await segment('--expressions', 'red circle', 'both bars');
    expect(code).toBe(0);
    expect(stdout).toMatch(/expression +answer +pixels +box +score +P\(\[REJ\]\)/);
    expect(stdout).toMatch(/^ red circle +(segmented|empty-mask|rejected)/m);
    expect(stdout).toMatch(/^ both bars +(segmented|empty-mask|rejected)/m);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('--reject-threshold decides', async () => {
    const statuses = async (threshold: string): Promise<string[]> => {
      const { stdout } = await segment('--expressions', 'red circle', '--reject-threshold', threshold, '--json');
      return (JSON.parse(stdout) as { results: { status: string }[] }).results.map(({ status }) => status);
    };
    expect(await statuses('0')).toEqual(['rejected']);
    expect(await statuses('1')).toEqual(['segmented']);
  });

  test('--json: one object; --out NAME.png: the overlay', async () => {
    const out = at('found.png');
    const { code, stdout } = await segment('--expressions', 'red circle', '--json', '--out', out);
    expect(code).toBe(0);
    const answer = JSON.parse(stdout);
    const { width, height } = await readImage(image);
    expect(answer).toMatchObject({ image, width, height, written: [out], engine: 'wasm' });
    expect(answer.results).toHaveLength(1);
    expect(answer.results[0]).toMatchObject({ expression: 'red circle' });
    // A rejection has no mask; the masks of the others are COCO's run lengths (segment-formats.test.ts).
    expect(answer.results[0]).toHaveProperty('mask');
    expect(answer.results[0].rejectProbability).toBeGreaterThanOrEqual(0);
    expect(answer.results[0].rejectProbability).toBeLessThanOrEqual(1);
    expect((await readImage(out)).width).toBeGreaterThan(0);
    expectNothingHalfWritten();
  });

  test('--out FOLDER: overlay and a mask of the image’s size for each found; replaced as a whole the next time', async () => {
    const out = at('found');
    const expressions = ['red circle', 'left bar', 'green square', 'both circles'];
    const { stdout } = await segment('--expressions', ...expressions, '--json', '--out', out);
    const { results, written } = JSON.parse(stdout) as {
      results: { status: string; area: number }[];
      written: string[];
    };
    const found = results.flatMap(({ status }, i) => (status === 'rejected' ? [] : [`mask-0${i + 1}.png`]));
    expect(readdirSync(out).sort()).toEqual([...found, 'overlay.png'].sort());
    expect(written.map((path) => path.slice(out.length + 1)).sort()).toEqual(readdirSync(out).sort());
    const { width, height } = await readImage(image);
    for (const name of found) {
      const mask = await readImage(join(out, name));
      expect([mask.height, mask.width]).toEqual([height, width]);
      const area = mask.data.filter((value, i) => i % 3 === 0 && value > 0).length;
      expect(area).toBe(results[Number(name.slice(5, 7)) - 1]?.area);
    }
    const again = await segment('--expressions', 'red circle', '--out', out);
    expect(again.code).toBe(0);
    expect(readdirSync(out).every((name) => name === 'overlay.png' || name === 'mask-01.png')).toBe(true);
    expectNothingHalfWritten();
  });

  test('--out never replaces a folder that holds anything else, nor the picture that is asked about', async () => {
    const own = at('own');
    mkdirSync(own);
    copyFileSync(image, join(own, 'photo.jpg'));
    const folder = await segment('--expressions', 'red circle', '--out', own);
    expect(folder).toMatchObject({ code: 1, stdout: '' });
    expect(lastLine(folder.stderr)).toMatch(/own holds photo\.jpg/);
    expect(readdirSync(own)).toEqual(['photo.jpg']);
    const before = readFileSync(image);
    const link = join(own, 'link.jpg');
    symlinkSync(image, link);
    for (const out of [image, link]) {
      const file = await segment('--expressions', 'red circle', '--out', out);
      expect(file).toMatchObject({ code: 1, stdout: '' });
      expect(lastLine(file.stderr)).toMatch(/is the picture that is asked about, and would be replaced/);
    }
    expect(readFileSync(image)).toEqual(before);
  });

  test('explains the statuses that occur, names the model and what it knows', async () => {
    const { stdout } = await segment('--expressions', 'red circle', '--reject-threshold', '0');
    expect(stdout).toContain('\nrejected: by the model, nothing in the picture fits\n');
    expect(stdout).not.toContain('\nsegmented: ');
    expect(stdout).toContain(`\nmodel: ${model}\n`);
    const knowing = at('knowing');
    cpSync(model, knowing, { recursive: true });
    const meta = JSON.parse(readFileSync(join(knowing, 'meta.json'), 'utf8')) as object;
    writeFileSync(join(knowing, 'meta.json'), JSON.stringify({ ...meta, knows: 'coloured shapes only' }));
    const ask = (...more: string[]): Promise<CliResult> =>
      cli(['segment', '--image', image, '--model', knowing, '--expressions', 'red circle', ...more]);
    expect((await ask()).stdout).toContain(`\nmodel: ${knowing}: coloured shapes only; about anything else`);
    const json = JSON.parse((await ask('--json', '--reject-threshold', '0')).stdout);
    expect(json.model).toEqual({ name: knowing, knows: 'coloured shapes only' });
    expect(json.statuses).toEqual({ rejected: 'by the model, nothing in the picture fits' });
  });

  test('--mode generate: what matches no expression is listed, with its masks', async () => {
    const { predictor } = await loadPredictor(model);
    const [encoded] = await predictor.encode([await readImage(image)]);
    if (encoded === undefined) throw new Error('not encoded');
    const network = networkOf(predictor);
    const { question } = await predictor.generate({ image: encoded, expressions: ['a', 'b'] }, { maxTokens: 1 });
    const turn = { user: question, assistant: null };
    const { inputIds } = predictor.asking.tokenized(turn);
    const [first = 0] = (await generate(network, predictor.asking.vocabulary, encoded, inputIds, { maxTokens: 1 })).ids;
    // Whatever this random model writes first, let it be [SEG].
    swapHeadColumns(network, first, SMALL_TEXT.tokens.seg);
    const talkative = at('talkative');
    mkdirSync(talkative);
    const meta = { conversation: 'plain', stage: 'gsva', description: 'writes [SEG]' };
    await writeModel(talkative, network, { meta, tokenizerDir: TOKENIZER_DIR });
    predictor.dispose();
    const out = at('free');
    const ask = (...more: string[]): Promise<CliResult> =>
      cli([
        'segment',
        '--image',
        image,
        '--model',
        talkative,
        '--mode',
        'generate',
        '--expressions',
        'a',
        'b',
        ...more,
      ]);
    const json = JSON.parse((await ask('--json', '--out', out)).stdout) as {
      answer: string;
      unmatched: { text: string; status: string; repeats: null; area: number; mask?: unknown }[];
    };
    expect(json.answer).toMatch(/^\[SEG\]/);
    expect(json.unmatched.length).toBeGreaterThan(0);
    expect(json.unmatched[0]).toMatchObject({ text: '', repeats: null });
    expect(json.unmatched[0]?.mask).toMatchObject({ counts: expect.any(String), size: [138, 136] });
    const drawn = json.unmatched.flatMap(({ status }, i) =>
      status === 'rejected' ? [] : [`unmatched-${String(i + 1).padStart(2, '0')}.png`],
    );
    expect(readdirSync(out).filter((name) => name.startsWith('unmatched'))).toEqual(drawn);
    const mask = await readImage(join(out, 'unmatched-01.png'));
    expect(mask.data.filter((value, i) => i % 3 === 0 && value > 0)).toHaveLength(json.unmatched[0]?.area ?? -1);
    // A folder of such results is one of ours, and is replaced.
    const { stdout, code } = await ask('--out', out);
    expect([code, stdout]).toEqual([0, expect.stringContaining('parts of the answer that match no expression:')]);
  });

  test.each(['ask', 'generate'])('--mode %s stops in the middle when it is told to', async (mode) => {
    const controller = new AbortController();
    const layer = jest.spyOn(SamBlock.prototype, 'forward');
    const running = cli(['segment', '--image', image, '--model', model, '--mode', mode, '--expressions', 'x'], {
      signal: controller.signal,
    });
    const watch = setInterval(() => {
      if (layer.mock.calls.length > 0) controller.abort();
    }, 0);
    const result = await running;
    clearInterval(watch);
    layer.mockRestore();
    expect(result).toMatchObject({ code: 130, stdout: '' });
    expect(lastLine(result.stderr)).toBe('gsva segment: stopped');
  });

  test('--mode generate answers too', async () => {
    const { code, stdout } = await segment('--expressions', 'red circle', '--mode', 'generate', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout).results).toHaveLength(1);
  });
});

describe('gsva segment refuses', () => {
  const withoutAnswer = (result: CliResult, message: RegExp, code = 1): void => {
    expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: '' });
    expect(lastLine(result.stderr)).toMatch(message);
    expect(result.stderr).not.toContain('unexpected error');
  };

  test('an empty expression, and one that would read as several', async () => {
    withoutAnswer(await segment('--expressions', 'red circle', ' '), /expression 2 is empty/, 2);
    withoutAnswer(await segment('--expressions', '...'), /^gsva segment: /);
  });

  test('an image that is none', async () => {
    for (const [name, bytes] of [
      ['text.png', Buffer.from('no image')],
      ['empty.jpg', Buffer.alloc(0)],
      ['cut.jpg', readFileSync(image).subarray(0, 200)],
    ] as const) {
      writeFileSync(at(name), bytes);
      const result = await cli(['segment', '--image', at(name), '--model', model, '--expressions', 'x']);
      withoutAnswer(result, new RegExp(name.replace('.', '\\.')));
    }
  });

  test('a model folder that is missing, empty, or holds weights of other shapes; nothing stays allocated', async () => {
    const before = tf.memory().numTensors;
    const ask = (folder: string): Promise<CliResult> =>
      cli(['segment', '--image', image, '--model', folder, '--expressions', 'x']);
    withoutAnswer(await ask(at('none')), /there is no folder .*none\./);
    mkdirSync(at('empty'));
    withoutAnswer(await ask(at('empty')), /config\.json/);
    cpSync(model, at('other'), { recursive: true });
    const sizes = JSON.parse(readFileSync(at('other', 'config.json'), 'utf8'));
    sizes.llm.intermediate_size = 20;
    writeFileSync(at('other', 'config.json'), JSON.stringify(sizes));
    withoutAnswer(await ask(at('other')), /model\.safetensors: tensor ".*mlp.*" has shape/);
    writeFileSync(at('other', 'model.safetensors'), 'short');
    writeFileSync(at('other', 'config.json'), readFileSync(join(model, 'config.json')));
    withoutAnswer(await ask(at('other')), /model\.safetensors/);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('gsva eval', () => {
  const evaluate = (...more: string[]): Promise<CliResult> => cli(['eval', '--model', model, '--data', data, ...more]);

  test('--json: one object with the figures as fractions of 1, what was measured, and how long it took', async () => {
    const before = tf.memory().numTensors;
    const { code, stdout } = await evaluate('--json');
    expect(code).toBe(0);
    const answer = JSON.parse(stdout);
    const val = GRefCoco.open(data, 'val');
    const expressions = val.images.reduce((sum, each) => sum + each.expressions.length, 0);
    expect(answer).toMatchObject({ protocol: 'strict', dataset: 'grefcoco', split: 'val', images: 3, expressions });
    for (const key of ['gIoU', 'cIoU', 'N_acc', 'T_acc']) {
      expect([key, answer[key] >= 0 && answer[key] <= 1]).toEqual([key, true]);
    }
    expect(answer.seconds).toBeGreaterThan(0);
    expect(answer).not.toHaveProperty('others');
    expect(tf.memory().numTensors).toBe(before);
  });

  test('several protocols: a table with a row each; the batch’s size changes no figure; --limit', async () => {
    const table = await evaluate('--protocol', 'strict', 'reference', '--limit', '2');
    expect(table.stdout).toMatch(/protocol +gIoU +cIoU +N-acc +T-acc +images +expressions/);
    expect(table.stdout).toMatch(/^ strict .* 2 /m);
    expect(table.stdout).toMatch(/^ reference .* 2 /m);
    const figures = await Promise.all(
      ['1', '2'].map(async (batch) => {
        const answer: unknown = JSON.parse((await evaluate('--json', '--batch', batch)).stdout);
        return { ...(answer as object), seconds: 0 };
      }),
    );
    expect(figures[0]).toEqual(figures[1]);
  });

  test('--report writes pages with pictures', async () => {
    const out = at('report');
    const { code, stdout } = await evaluate('--report', out, '--limit', '1');
    expect(code).toBe(0);
    expect(stdout).toContain(join(out, 'report.html'));
    expect(readdirSync(out)).toEqual(expect.arrayContaining(['report.html', 'report.md', 'report.json', 'samples']));
    expectNothingHalfWritten();
  });

  test('a split without images, and a broken image, are explained', async () => {
    const none = await evaluate('--split', 'testB');
    expect(none).toMatchObject({ code: 1, stdout: '' });
    expect(lastLine(none.stderr)).toMatch(/nothing of the split "testB".*train, val/);
    const broken = at('broken-val');
    cpSync(data, broken, { recursive: true });
    const [first] = GRefCoco.open(broken, 'val').images;
    writeFileSync(first?.path ?? '', 'not an image');
    const { code, stderr } = await cli(['eval', '--model', model, '--data', broken]);
    expect(code).toBe(1);
    expect(lastLine(stderr)).toContain(first?.fileName);
    expect(stderr).not.toContain('unexpected error');
  });

  test('stopped by Ctrl-C: 130 and no answer', async () => {
    const { code, stdout } = await cli(['eval', '--model', model, '--data', data, '--json'], {
      signal: AbortSignal.abort(),
    });
    expect(code).toBe(130);
    expect(stdout).toBe('');
  });
});
