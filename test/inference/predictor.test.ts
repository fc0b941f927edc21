/** The predictor and the public API: from an image and expressions to results, on the small random model. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { GsvaModel, loadGsva, UserError } from '../../src/index.js';
import { generate } from '../../src/inference/generate.js';
import { Predictor } from '../../src/inference/predictor.js';
import { binaryMask, segmentResult } from '../../src/inference/segment-result.js';
import { encodePng } from '../../src/io/image/image-file.js';
import type { SegmentResult } from '../../src/types.js';
import { fixture } from '../helpers/fixtures.js';
import { networkOf, randomImage, swapHeadColumns, tinyPredictor } from './tiny-predictor.js';
import { writeModel } from '../helpers/model-folder.js';
import { system } from '../../src/systems/gsva/system.js';

const EXPRESSIONS = ['red circle', 'green bar', 'both squares'];
const image = randomImage(61, 87, 3);
let predictor: Predictor;
let tensors = 0;

beforeAll(async () => {
  await startEngine();
  predictor = tinyPredictor();
});
afterAll(() => {
  predictor.dispose();
});
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensors); // no test leaves a tensor behind
});

/** Status, mask, box, area and score fit together. */
function expectConsistent(result: SegmentResult, height: number, width: number): void {
  const { status, mask, box, area, score, rejectProbability } = result;
  if (status === 'empty-mask') {
    expect([mask.data.length, mask.data.includes(1), box, area, score]).toEqual([height * width, false, null, 0, 0]);
    return;
  }
  if (status !== 'segmented') {
    expect([mask, box, area, score]).toEqual([null, null, 0, 0]);
    return;
  }
  expect([mask.height, mask.width, mask.data.length]).toEqual([height, width, height * width]);
  expect(mask.data.reduce((sum, value) => sum + value, 0)).toBe(area);
  expect(area).toBeGreaterThan(0);
  const [xMin, yMin, xMax, yMax] = box;
  expect((xMax - xMin) * (yMax - yMin)).toBeGreaterThanOrEqual(area);
  expect(score).toBeGreaterThanOrEqual(0.5);
  expect(rejectProbability).toBeGreaterThanOrEqual(0);
  expect(rejectProbability).toBeLessThanOrEqual(1);
}

describe('Predictor.segment', () => {
  test('asks for every expression and answers in order, under the names that were given', async () => {
    const asked = ['Red Circle', ' green bar. ', 'both squares'];
    const { question, answer, results } = await predictor.segment(image, asked);
    expect(question).toBe(
      '<image>\nWhat are red circle, green bar, both squares in this image? Please output segmentation masks.',
    );
    expect(answer).toMatch(
      /^Sure, they are red circle:\[(SEG|REJ)\], green bar:\[(SEG|REJ)\], both squares:\[(SEG|REJ)\]\.$/,
    );
    expect(results.map(({ expression }) => expression)).toEqual(asked);
    for (const result of results) expectConsistent(result, 61, 87);
  });

  test('the threshold moves the decision: 0 rejects all, 1 nothing', async () => {
    const none = await predictor.segment(image, EXPRESSIONS, { rejectThreshold: 0 });
    expect(none.results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(none.answer).toBe('Sure, they are red circle:[REJ], green bar:[REJ], both squares:[REJ].');
    const all = await predictor.segment(image, EXPRESSIONS, { rejectThreshold: 1 });
    // The random model's masks have no pixel.
    expect(all.results.map(({ status }) => status)).toEqual(['empty-mask', 'empty-mask', 'empty-mask']);
    expect(all.answer).toBe('Sure, they are red circle:[SEG], green bar:[SEG], both squares:[SEG].');
  });

  test('a stored threshold is the default, and what is asked for goes before it', async () => {
    const { tokenizer, conversation } = predictor.asking;
    const statuses = async (stored: number, options = {}): Promise<string[]> => {
      const { results } = await new Predictor(system, predictor.network, tokenizer, conversation, {
        rejectThreshold: stored,
      }).segment(image, EXPRESSIONS, options);
      return results.map(({ status }) => status);
    };
    expect(await statuses(0)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(await statuses(1)).toEqual(['empty-mask', 'empty-mask', 'empty-mask']);
    expect(await statuses(1, { rejectThreshold: 0 })).toEqual(['rejected', 'rejected', 'rejected']);
  });

  test('a free answer that passes over an expression has no-seg-token for it', async () => {
    const { answer, results, question } = await predictor.segment(image, EXPRESSIONS, {
      mode: 'generate',
      maxTokens: 6,
    });
    expect(question).toBe(
      '<image>\nWhat are red circle, green bar, both squares in this image? Please output segmentation masks.',
    );
    expect(typeof answer).toBe('string');
    expect(results).toHaveLength(3);
    for (const result of results) expectConsistent(result, 61, 87);
  });

  test('a free answer with as many [SEG] as expressions answers them in order', async () => {
    const [encoded] = await predictor.encode([image]);
    if (encoded === undefined) throw new Error('not encoded');
    const asked = { image: encoded, expressions: ['red circle'] };
    const { question } = await predictor.generate(asked, { maxTokens: 1 });
    const gsva = networkOf(predictor);
    const { tokenizer, vocabulary } = predictor.asking;
    const { inputIds } = predictor.asking.tokenized({ user: question, assistant: null });
    const [written = 0] = (await generate(gsva, vocabulary, encoded, inputIds, { maxTokens: 1 })).ids;
    // Whatever this random model writes first, let it be [SEG].
    swapHeadColumns(gsva, written, gsva.config.tokens.seg);
    const reply = await predictor.generate(asked, { maxTokens: 1 });
    const rejecting = await predictor.generate(asked, { maxTokens: 1, rejectThreshold: 0 });
    const accepting = await new Predictor(system, gsva, tokenizer, 'plain', { rejectThreshold: 1 }).generate(asked, {
      maxTokens: 1,
    });
    swapHeadColumns(gsva, written, gsva.config.tokens.seg);
    // The threshold chooses between the two where the model is about to write one of them.
    expect([rejecting.answer, rejecting.results[0]?.status]).toEqual(['[REJ]', 'rejected']);
    expect([accepting.answer, accepting.results[0]?.status]).toEqual(['[SEG]', 'empty-mask']);
    expect(reply.answer).toContain('[SEG]');
    expect(reply.results.map(({ status }) => status)).toEqual(['empty-mask']);
    expect(reply.faults).toEqual({ unknown: 0, repeated: 0, unanswered: 0 });
    expectConsistent(reply.results[0] as SegmentResult, 61, 87);
  });

  test.each([
    [[], {}, 'no expression is given'],
    [['red circle', '  . '], {}, 'it is empty'],
    [['a [SEG] b'], {}, 'reserved'],
    [['<image>'], {}, 'reserved'],
    [['x'], { rejectThreshold: 1.5 }, 'from 0 to 1'],
    [['x'], { rejectThreshold: NaN }, 'from 0 to 1'],
    [['x'], { rejectThreshold: -1, mode: 'generate' as const }, 'from 0 to 1'],
    [['x'], { maxTokens: 0, mode: 'generate' as const }, 'maxTokens must be a whole number'],
    [['x'], { maxTokens: 4 }, "maxTokens is for mode 'generate'"],
    [Array.from({ length: 60 }, (_, i) => `thing number ${i}`), {}, 'this model takes 256'],
  ])('case %#: what cannot be used is refused with one clear line', async (expressions, options, message) => {
    await expect(predictor.segment(image, expressions, options)).rejects.toThrow(UserError);
    await expect(predictor.segment(image, expressions, options)).rejects.toThrow(message);
  });

  test('an aborted signal ends it', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(predictor.segment(image, ['x'], { signal })).rejects.toThrow('enough');
    await expect(predictor.segment(image, ['x'], { signal, mode: 'generate' })).rejects.toThrow('enough');
  });
});

describe('Predictor.refusal', () => {
  test('says why a question cannot be asked: tokens of question and answer, reserved texts', () => {
    expect(predictor.refusal(EXPRESSIONS)).toBeNull();
    expect(predictor.refusal(['a [SEG] of it'], 'class')).toBe('it contains [SEG], which is reserved');
    const { positions } = predictor.network;
    const words = new Array<string>(positions).fill('chair');
    expect(predictor.refusal([words.join(' ')], 'reason-phrase')).toMatch(
      new RegExp(`has \\d+ tokens, and the model takes ${positions}`),
    );
    expect(predictor.refusal(words, 'where')).not.toBeNull();
  });
});

describe('Predictor.force', () => {
  test('answers a batch of images of different sizes, a mask for every expression', async () => {
    const [a, b] = await predictor.encode([image, randomImage(100, 40, 4)]);
    if (a === undefined || b === undefined) throw new Error('not encoded');
    const replies = await predictor.force([
      { image: a, expressions: EXPRESSIONS, answers: ['absent', 'found', 'absent'] },
      { image: b, expressions: ['star'], answers: ['found'] },
    ]);
    expect(replies.map(({ masks }) => masks.map(({ height, width }) => [height, width]))).toEqual([
      [
        [61, 87],
        [61, 87],
        [61, 87],
      ],
      [[100, 40]],
    ]);
    for (const { results, answer } of replies) {
      for (const result of results) expectConsistent(result, result.mask?.height ?? 0, result.mask?.width ?? 0);
      const tokens = [...answer.matchAll(/\[(SEG|REJ)\]/g)].map(([, name]) => name);
      expect(tokens).toEqual(results.map(({ status }) => (status === 'rejected' ? 'REJ' : 'SEG')));
    }
    const [chair] = await predictor.force([{ image: b, expressions: ['chair'], answers: ['found'], form: 'class' }]);
    expect(chair?.question).toBe('<image>\n What is chair in this image?');
    expect(chair?.answer).toMatch(/^Sure, \[(SEG|REJ)\]\.$/);
    expect(await predictor.encode([])).toEqual([]);
    expect(await predictor.force([])).toEqual([]);
  });
});

describe('segmentResult', () => {
  test('box (max exclusive), area and score of a small mask; a logit of 0 is inside, NaN is refused', () => {
    const logits = { data: Float32Array.from([-1, 0, -1, -2, 2, -3]), height: 2, width: 3 };
    const result = segmentResult('x', 'segmented', logits, 0.25);
    expect([...binaryMask(logits).data]).toEqual([0, 1, 0, 0, 1, 0]);
    expect(result).toMatchObject({ box: [1, 0, 2, 2], area: 2, rejectProbability: 0.25 });
    expect(result.score).toBeCloseTo((0.5 + 1 / (1 + Math.exp(-2))) / 2, 6);
    logits.data[3] = NaN;
    expect(() => segmentResult('x', 'segmented', logits, 0.25)).toThrow(UserError);
  });

  test('an empty mask has no box and score 0; a rejection has no mask', () => {
    const logits = { data: Float32Array.from([-1, -1]), height: 1, width: 2 };
    expect(segmentResult('x', 'segmented', logits, 0)).toMatchObject({
      status: 'empty-mask',
      mask: { data: new Uint8Array(2) },
      box: null,
      area: 0,
      score: 0,
    });
    expect(segmentResult('x', 'rejected', logits, 1)).toMatchObject({ mask: null, box: null, area: 0, score: 0 });
  });
});

describe('loadGsva', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gsva-predictor-'));
  const meta = { conversation: 'plain', stage: 'gsva', description: 'random weights' };
  beforeAll(async () => {
    await writeModel(folder, networkOf(predictor), { meta, tokenizerDir: fixture('tokenizer') });
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test('a path, bytes and pixels of the same image give the same results; dispose frees everything', async () => {
    const path = join(folder, 'image.png');
    const bytes = await encodePng(image);
    writeFileSync(path, bytes);
    const model = await loadGsva(folder);
    expect(model).toBeInstanceOf(GsvaModel);
    expect(model.meta).toEqual(meta);
    expect(model.name).toBe(folder);
    const expected = { ...(await predictor.segment(image, EXPRESSIONS)), model: { name: folder, knows: null } };
    for (const source of [path, bytes, image]) expect(await model.segment(source, EXPRESSIONS)).toEqual(expected);
    model.dispose();
  });

  test('what cannot be used is refused, and nothing stays allocated', async () => {
    await expect(loadGsva(join(folder, 'none'))).rejects.toThrow('there is no folder');
    const file = join(folder, 'meta.json');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('plain', 'chatty'));
    await expect(loadGsva(folder)).rejects.toThrow('meta.json has the conversation "chatty"; known are llava_v1');
    writeFileSync(file, text);
    const config = join(folder, 'config.json');
    const sizes = readFileSync(config, 'utf8');
    writeFileSync(config, sizes.replace('"seg": 600', '"seg": 599'));
    await expect(loadGsva(folder)).rejects.toThrow('gives the id 600 to [SEG], but "tokens.seg" of config.json is 599');
    writeFileSync(config, sizes);
    const model = await loadGsva(folder);
    await expect(model.segment({ ...image, width: 88 }, ['x'])).rejects.toThrow('bytes of RGB');
    await expect(model.segment(join(folder, 'no.png'), ['x'])).rejects.toThrow(UserError);
    model.dispose();
  });
});
