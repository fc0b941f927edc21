/** The library: models and scenes, what is refused and under which code, signals in every mode, nothing left behind. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { type GroundedModel, GsvaModel, loadGsva, loadModel, type Scene, UserError } from '../../src/index.js';
import { ClipEncoderLayer, ClipVisionTower } from '../../src/networks/clip/vision-tower.js';
import { DecoderLayer } from '../../src/networks/decoder-lm/decoder-lm.js';
import { Projector } from '../../src/networks/projector.js';
import { SamBlock, SamImageEncoder } from '../../src/networks/sam/image-encoder.js';
import { fixture } from '../helpers/fixtures.js';
import { networkOf, randomImage, tinyPredictor } from './tiny-predictor.js';
import { writeModel } from '../helpers/model-folder.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-library-'));
const image = randomImage(61, 87, 3);
const EXPRESSIONS = ['red circle', 'green bar'];
const MODES = ['ask', 'generate'] as const;
const asked = (mode: (typeof MODES)[number]) => (mode === 'ask' ? { mode } : { mode, maxTokens: 4 });
let model: GroundedModel;
let tensors = 0;

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
  const predictor = tinyPredictor();
  await writeModel(folder, networkOf(predictor), {
    meta: { conversation: 'plain', stage: 'gsva', description: 'random weights', knows: 'noise' },
    tokenizerDir: fixture('tokenizer'),
  });
  predictor.dispose();
  model = await loadModel(folder, { engine: 'wasm' });
});
afterAll(() => {
  model.dispose();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  jest.restoreAllMocks();
  expect(tf.memory().numTensors).toBe(tensors);
});

/** The code of what a call throws. */
async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.code;
  }
  return 'none';
}

describe('a scene', () => {
  test.each(MODES)('%s: the encoders, and the LLM on the picture, run once for all questions', async (mode) => {
    const expected = await model.segment(image, EXPRESSIONS, asked(mode));
    const clip = jest.spyOn(ClipVisionTower.prototype, 'forwardSteps');
    const sam = jest.spyOn(SamImageEncoder.prototype, 'forwardSteps');
    const projector = jest.spyOn(Projector.prototype, 'forward');
    const scene = await model.encode(image);
    expect([scene.width, scene.height]).toEqual([87, 61]);
    const replies = [];
    for (let i = 0; i < 3; i++) replies.push(await scene.segment(EXPRESSIONS, asked(mode)));
    expect([clip, sam, projector].map((spy) => spy.mock.calls.length)).toEqual([1, 1, 1]);
    for (const { results, ...rest } of replies) {
      const { results: alone, ...same } = expected;
      expect(rest).toEqual(same);
      expect(results.map(({ status, area }) => [status, area])).toEqual(alone.map((r) => [r.status, r.area]));
      for (const [i, { rejectProbability }] of results.entries()) {
        expect(rejectProbability ?? -1).toBeCloseTo(alone[i]?.rejectProbability ?? -1, 5);
      }
    }
    scene.dispose();
  });

  test('two questions at once are answered as one after the other', async () => {
    const scene = await model.encode(image);
    const both = await Promise.all([scene.segment(['red circle']), scene.segment(['green bar'])]);
    expect(both).toEqual([await scene.segment(['red circle']), await scene.segment(['green bar'])]);
    scene.dispose();
  });

  test('a disposed one says so, and frees what it holds when the last call has ended', async () => {
    const scene = await model.encode(image);
    const running = scene.segment(EXPRESSIONS);
    scene[Symbol.dispose]();
    expect((await running).results).toHaveLength(2);
    await expect(scene.segment(EXPRESSIONS)).rejects.toThrow('this scene was disposed');
    expect(await codeOf(scene.segment(EXPRESSIONS))).toBe('disposed');
    scene.dispose();
    expect((await model.segment(image, ['red circle'])).results).toHaveLength(1);
  });
});

describe('a free question', () => {
  test('is answered in words, by a scene as by the model, a part for each decision with its mask', async () => {
    const expected = await model.reply(image, 'What is on the left?', { maxTokens: 6 });
    expect(expected).toMatchObject({ question: 'What is on the left?', model: { knows: 'noise' } });
    const scene = await model.encode(image);
    expect((await scene.reply('What is on the left?', { maxTokens: 6 })).answer).toBe(expected.answer);
    const decisions = (expected.answer.match(/\[(SEG|REJ)\]/g) ?? []).length;
    expect(expected.parts).toHaveLength(decisions);
    scene.dispose();
  });

  test.each([
    ['', {}, 'bad-expression'],
    [5, {}, 'bad-expression'],
    ['where is [SEG]?', {}, 'bad-expression'],
    ['where? '.repeat(400), {}, 'too-long'],
    ['where?', { maxTokens: 0 }, 'bad-option'],
    ['where?', { mode: 'ask' }, 'bad-option'],
  ])('%j with %j is refused: %s', async (question, options, code) => {
    expect(await codeOf(model.reply(image, question as string, options as never))).toBe(code);
  });
});

describe('a model', () => {
  test('has the name of the first releases too', () => {
    expect([loadGsva, GsvaModel.prototype]).toEqual([loadModel, Object.getPrototypeOf(model)]);
  });

  test('replies name it and what it knows', async () => {
    expect(model.meta.knows).toBe('noise');
    expect((await model.segment(image, ['red circle'])).model).toEqual({ name: folder, knows: 'noise' });
  });

  test('disposed during calls: they end, later ones are refused, all is freed, scenes too', async () => {
    const other = await loadModel(folder);
    const scene = await other.encode(image);
    await scene.segment(['red circle']);
    const running = [
      other.segment(image, EXPRESSIONS, asked('generate')),
      scene.segment(EXPRESSIONS),
      other.encode(image),
    ];
    other.dispose();
    other.dispose();
    expect(await codeOf(other.segment(image, EXPRESSIONS))).toBe('disposed');
    expect(await codeOf(scene.segment(EXPRESSIONS))).toBe('disposed');
    await expect(other.encode(image)).rejects.toThrow('this model was disposed');
    const ended = await Promise.all(running);
    expect(await codeOf((ended[2] as Scene).segment(['red circle']))).toBe('disposed');
    await other[Symbol.asyncDispose]();
  });

  test('the packaged one is found by its name, and without one, from any folder', async () => {
    const [home, elsewhere] = [process.cwd(), join(folder, 'elsewhere')];
    mkdirSync(join(elsewhere, 'tiny'), { recursive: true });
    process.chdir(elsewhere);
    try {
      for (const source of [undefined, 'tiny']) {
        const tiny = await loadModel(source);
        expect([tiny.name, tiny.meta.knows]).toEqual(['checkpoints/tiny', 'coloured shapes only']);
        tiny.dispose();
      }
      await expect(loadModel('./tiny')).rejects.toThrow('config.json');
      // What training starts from has nothing to answer with.
      await expect(loadModel('tiny-base')).rejects.toThrow(/tiny-base has not learned its decision tokens yet/);
    } finally {
      process.chdir(home);
    }
  });

  test('all share an engine: another one is refused by name, and free to start after the last', async () => {
    const call = loadModel(folder, { engine: 'cpu' });
    await expect(call).rejects.toThrow(
      /on the engine cpu: models that are loaded already compute on wasm with 1 thread,/,
    );
    expect(await codeOf(loadModel(folder, { engine: 'cpu' }))).toBe('engine');
    expect(await codeOf(loadModel(folder, { device: 'gpu' }))).toBe('engine');
    expect(await codeOf(loadModel(folder, { threads: 7 }))).toBe('engine');
    const second = await loadModel(folder);
    expect(second.engine.name).toBe('wasm');
    second.dispose();
  });
});

describe('a signal', () => {
  const LAYERS = [ClipEncoderLayer, SamBlock, DecoderLayer];
  const calls: (readonly [string, (signal: AbortSignal) => Promise<unknown>])[] = [
    ['reply', (signal) => model.reply(image, 'what is it?', { maxTokens: 4, signal })],
    ['encode', (signal) => model.encode(image, { signal })],
    ...MODES.map(
      (mode) => [mode, (signal: AbortSignal) => model.segment(image, EXPRESSIONS, { ...asked(mode), signal })] as const,
    ),
  ];

  test.each(calls)(
    '%s: heard within one layer, wherever it is aborted; nothing stays allocated',
    async (_name, call) => {
      let computed = 0;
      let abortAt = Infinity;
      let controller = new AbortController();
      for (const { prototype } of LAYERS) {
        const forward = prototype.forward as (...args: unknown[]) => unknown;
        jest.spyOn(prototype, 'forward').mockImplementation(function (this: unknown, ...args: unknown[]) {
          if (++computed === abortAt) {
            const aborted = controller;
            setImmediate(() => {
              aborted.abort(new Error('enough'));
            });
          }
          return forward.apply(this, args) as never;
        });
      }
      const scene = (await call(controller.signal)) as Partial<Scene>;
      scene.dispose?.();
      const whole = computed;
      expect(whole).toBeGreaterThan(3);
      expect(tf.memory().numTensors).toBe(tensors);
      for (abortAt = 1; abortAt < whole; abortAt++) {
        computed = 0;
        controller = new AbortController();
        await expect(call(controller.signal)).rejects.toThrow('enough');
        expect(computed).toBeLessThanOrEqual(abortAt + 1);
        expect(tf.memory().numTensors).toBe(tensors);
      }
    },
  );

  test('one that is aborted already ends every call before anything is read', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    for (const mode of MODES) {
      await expect(model.segment('none.png', ['x'], { mode, signal })).rejects.toThrow('enough');
    }
    await expect(model.encode('none.png', { signal })).rejects.toThrow('enough');
  });

  test('a question of a scene that is stopped leaves the scene as it was', async () => {
    const scene = await model.encode(image);
    const controller = new AbortController();
    const stopped = scene.segment(EXPRESSIONS, { signal: controller.signal });
    setImmediate(() => {
      controller.abort(new Error('enough'));
    });
    await expect(stopped).rejects.toThrow('enough');
    expect((await scene.segment(EXPRESSIONS)).results).toHaveLength(2);
    scene.dispose();
  });
});

describe('what cannot be used', () => {
  const wrong = (value: unknown): never => value as never;
  const segment = (options: unknown, expressions: unknown = ['x']) =>
    model.segment(image, wrong(expressions), wrong(options));

  test.each([
    [{ mode: 'foo' }, 'mode must be one of ask, generate, found "foo"'],
    [{ mode: 'generat' }, 'did you mean "generate"'],
    [{ treshold: 0.5 }, 'there is no option "treshold"'],
    [{ rejectTreshold: 0.5 }, 'did you mean "rejectThreshold"'],
    [{ rejectThreshold: '0.5' }, 'rejectThreshold must be from 0 to 1, found "0.5"'],
    [{ maxTokens: 4 }, "maxTokens is for mode 'generate'"],
    [{ signal: 5 }, 'signal must be an AbortSignal, found 5'],
    ['generate', 'options are an object'],
    [null, 'found null'],
  ])('option %#: refused by name', async (options, message) => {
    await expect(segment(options)).rejects.toThrow(message);
    expect(await codeOf(segment(options))).toBe('bad-option');
  });

  test('options of encode and loadModel', async () => {
    expect(await codeOf(model.encode(image, wrong({ mode: 'ask' })))).toBe('bad-option');
    await expect(loadModel(folder, wrong({ enginee: 'cpu' }))).rejects.toThrow('did you mean "engine"');
    await expect(loadModel(folder, wrong({ precision: 'f16' }))).rejects.toThrow(
      'one of auto, f32, packed, found "f16"',
    );
    expect(await codeOf(loadModel(folder, wrong({ precision: 'f16' })))).toBe('bad-option');
    // Also while another model computes: disposing of that one would not help.
    for (const options of [{ engine: 'none' }, { threads: 0 }, { threads: '2' }, { device: 'tpu' }]) {
      expect(await codeOf(loadModel(folder, wrong(options)))).toBe('bad-option');
    }
  });

  test('expressions, pictures and folders have codes of their own', async () => {
    await expect(segment({}, 'red circle')).rejects.toThrow('expressions are a list of texts');
    expect(await codeOf(segment({}, 'red circle'))).toBe('bad-expression');
    expect(await codeOf(segment({}, []))).toBe('bad-expression');
    expect(await codeOf(segment({}, ['x', 5]))).toBe('bad-expression');
    expect(await codeOf(segment({}, ['a [SEG]']))).toBe('bad-expression');
    expect(
      await codeOf(
        segment(
          {},
          Array.from({ length: 60 }, (_, i) => `thing number ${i}`),
        ),
      ),
    ).toBe('too-long');
    expect(await codeOf(model.segment(join(folder, 'none.png'), ['x']))).toBe('bad-image');
    expect(await codeOf(model.segment(wrong({ data: [1, 2, 3], width: 1, height: 1 }), ['x']))).toBe('bad-image');
    expect(await codeOf(model.encode({ ...image, width: 88 }))).toBe('bad-image');
    await expect(model.encode({ data: new Uint8Array(0), height: 0, width: 0 })).rejects.toThrow('from 1 up; found 0');
    expect(await codeOf(loadModel(join(folder, 'none')))).toBe('bad-model');
    for (const source of [null, 3, '', [], {}, { mllm: 'a', visionTower: 'b', sam: 'c' }, { mllm: 'a', other: 'b' }]) {
      await expect(loadModel(wrong(source))).rejects.toThrow('Loading a model: the model is named by');
      expect(await codeOf(loadModel(wrong(source)))).toBe('bad-model');
    }
  });
});
