/** Decoding over the KV cache gives what a whole forward without cache gives: states, tokens, decisions, masks. */
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { ask, generate } from '../../src/inference/generate.js';
import { DecodingSession } from '../../src/inference/decoding-session.js';
import type { LlavaSam } from '../../src/systems/shared/llava-sam.js';
import { type EncodedImage, encodeImages } from '../../src/features/image-features.js';
import { resizeMasks } from '../../src/nn/bilinear.js';
import { Random } from '../../src/random.js';
import { ModelCase } from '../../src/verification/model-case.js';
import { fixture } from '../helpers/fixtures.js';
import { largestGap, swapHeadColumns } from './tiny-predictor.js';
import { wholeForward } from '../helpers/whole-forward.js';

const recorded = new ModelCase(fixture('gsva-tiny'));
const prompt = [...recorded.tensors.get('greedy.prompt_ids').data];
const { seg, rej = -1 } = recorded.config.tokens;
let gsva: LlavaSam;
let images: EncodedImage[];
let image: EncodedImage;
let tensors = 0;

beforeAll(async () => {
  await startEngine();
  gsva = recorded.buildModel();
  // The recorded answer has the token 430 twice: with its column swapped it is [SEG].
  swapHeadColumns(gsva, 430, seg);
  images = await encodeImages(gsva, await recorded.preparedImages());
  image = images[0] as EncodedImage;
});
afterAll(() => {
  gsva.dispose();
});
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensors); // no test leaves a tensor behind
});

interface Whole {
  /** Per position, vision tokens included. */
  readonly states: readonly Float32Array[];
  readonly logits: readonly Float32Array[];
  /** Of all [SEG]s, one after the other, at the image's size. */
  readonly masks: Float32Array;
}

/** The whole conversation about image 0 at once, without a cache. */
function whole(conversation: readonly number[]): Whole {
  // With a [SEG] behind: it changes nothing before it, and there is always a mask to draw.
  const ids = [...conversation, seg];
  const results: Whole[] = [];
  tf.tidy(() => {
    const first = (x: tf.Tensor4D): tf.Tensor4D => tf.slice(x, [0, 0, 0, 0], [1, -1, -1, -1]);
    const tokens = { inputIds: Int32Array.from(ids), labels: null, lengths: [ids.length], batch: 1, time: ids.length };
    const clipImages = first(recorded.imageTensor('images_clip'));
    const output = wholeForward(gsva, { clipImages, samImages: first(recorded.imageTensor('images')), tokens });
    const masks = resizeMasks(output.lowResMasks, image, gsva.config.sam.imageSize);
    const [count, height, width] = masks.shape;
    const drawn = masks.dataSync<'float32'>().slice(0, (count - 1) * height * width);
    results.push({ states: rows(output.lastHidden), logits: rows(output.logits), masks: drawn });
  });
  return results[0] as Whole;
}

/** Of all positions but the last, that of the [SEG] behind. */
function rows(x: tf.Tensor3D): Float32Array[] {
  const [, time, size] = x.shape;
  const data = x.dataSync<'float32'>();
  return Array.from({ length: time - 1 }, (_, t) => data.slice(t * size, (t + 1) * size));
}

describe('DecodingSession', () => {
  test('fed in pieces of any size, it has the states and logits of one pass without a cache', async () => {
    const { inputIds } = recorded.conversation(0);
    const expected = whole(inputIds);
    for (const seed of [1, 2, 3]) {
      const random = new Random(seed);
      const session = new DecodingSession(gsva, image);
      for (let at = 0; at < inputIds.length;) {
        const size = 1 + (random.uint32() % 6);
        const step = await session.feed(inputIds.slice(at, at + size));
        at += size;
        expect(largestGap(step.state, expected.states[session.length - 1] ?? [])).toBeLessThan(2e-5);
        expect(largestGap(step.logits, expected.logits[session.length - 1] ?? [])).toBeLessThan(2e-5);
      }
      expect(session.length).toBe(inputIds.length - 1 + gsva.patches);
      session.dispose();
    }
  });

  test('holds two tensors per layer and the last states, and none after dispose', async () => {
    const session = new DecodingSession(gsva, image);
    for (const id of [1, 5, 6]) await session.feed([id]);
    expect(tf.memory().numTensors - tensors).toBe(2 * gsva.config.llm.numHiddenLayers + 1);
    session.dispose();
  });
});

describe('generate', () => {
  test('every token is the argmax of a pass without a cache, every mask that of the whole answer', async () => {
    const answer = await generate(gsva, recorded.vocabulary, image, prompt, { maxTokens: 20 });
    expect(answer).toMatchObject({ end: 'max-tokens' });
    expect(answer.ids).toHaveLength(20);
    const { logits, masks: expectedMasks } = whole([...prompt, ...answer.ids]);
    const from = prompt.length - 1 + gsva.patches - 1;
    const argmaxes = answer.ids.map((_, i) => argmax(logits[from + i] ?? new Float32Array()));
    expect(argmaxes).toEqual([...answer.ids]);
    const masks = answer.decisions.flatMap(({ mask }) => (mask === null ? [] : [mask]));
    expect(masks.length).toBeGreaterThan(0);
    expect(
      largestGap(
        masks.flatMap(({ data }) => [...data]),
        expectedMasks,
      ),
    ).toBeLessThan(1e-5);
    for (const { index, answer: decision, mask, rejectProbability } of answer.decisions) {
      expect(answer.ids[index]).toBe(decision === 'found' ? seg : rej);
      expect(mask === null).toBe(decision === 'absent');
      expect(rejectProbability > 0.5).toBe(decision === 'absent');
    }
    expect(answer.decisions.map(({ index }) => index)).toEqual(
      [...answer.ids.keys()].filter((i) => answer.ids[i] === seg || answer.ids[i] === rej),
    );
  });

  test('stops at the end of the text, which is not part of the answer', async () => {
    const { ids } = await generate(gsva, recorded.vocabulary, image, prompt, { maxTokens: 4 });
    const [, , third = 0] = ids;
    swapHeadColumns(gsva, third, gsva.config.tokens.eos);
    const ended = await generate(gsva, recorded.vocabulary, image, prompt, { maxTokens: 20 });
    swapHeadColumns(gsva, third, gsva.config.tokens.eos);
    expect(ended).toMatchObject({ ids: ids.slice(0, 2), end: 'end-of-text' });
  });

  test('an abort between tokens ends it with the reason given, and frees the cache', async () => {
    const controller = new AbortController();
    const running = generate(gsva, recorded.vocabulary, image, prompt, {
      maxTokens: 10_000,
      signal: controller.signal,
    });
    setTimeout(() => {
      controller.abort(new Error('enough'));
    }, 20);
    await expect(running).rejects.toThrow('enough');
  });
});

describe('ask', () => {
  test('decides one after the other, each decision being read by the next, as passes without a cache do', async () => {
    const conversation = recorded.conversation(0);
    for (const threshold of [0, 0.2, 0.5, 0.8, 1]) {
      const decisions = await ask(gsva, recorded.vocabulary, image, conversation, { rejectThreshold: threshold });
      const ids = [...conversation.inputIds];
      const places = [...ids.keys()].filter((t) => ids[t] === seg || ids[t] === rej);
      expect(decisions).toHaveLength(places.length);
      for (const [i, t] of places.entries()) {
        const logits = whole(ids.slice(0, t)).logits.at(-1) ?? new Float32Array();
        const odds = Math.exp((logits[rej] ?? 0) - (logits[seg] ?? 0));
        expect(decisions[i]?.rejectProbability).toBeCloseTo(odds / (1 + odds), 4);
        expect(decisions[i]?.answer).toBe((decisions[i]?.rejectProbability ?? 0) >= threshold ? 'absent' : 'found');
        ids[t] = decisions[i]?.answer === 'absent' ? rej : seg;
      }
      const drawn = decisions.flatMap(({ mask }) => (mask === null ? [] : [...mask.data]));
      expect(largestGap(drawn, whole(ids).masks)).toBeLessThan(1e-5);
    }
    const rejected = await ask(gsva, recorded.vocabulary, image, conversation, { rejectThreshold: 0 });
    expect(rejected.map(({ answer }) => answer)).toEqual(['absent', 'absent', 'absent']);
  });
});

function argmax(values: Float32Array): number {
  return values.indexOf(Math.max(...values));
}
