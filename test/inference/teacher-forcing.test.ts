/** Teacher forcing: batches do not mix, and the second pass over the first one's cache is a whole second pass. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { TokenizedConversation } from '../../src/data/text/conversation.js';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { type ForcedItem, teacherForce } from '../../src/inference/teacher-forcing.js';
import { forcedDecision, readNextToken } from '../../src/inference/draw-masks.js';
import type { LlavaSam } from '../../src/systems/shared/llava-sam.js';
import { encodeImages } from '../../src/features/image-features.js';
import { ModelCase } from '../../src/verification/model-case.js';
import { fixture } from '../helpers/fixtures.js';
import { largestGap, swapHeadColumns } from './tiny-predictor.js';

const recorded = new ModelCase(fixture('gsva-tiny'));
const { vocabulary } = recorded;
const { seg, rej = -1 } = recorded.config.tokens;
let gsva: LlavaSam;
/** Different lengths; with [REJ] early, late, nowhere, everywhere; and nothing to decide at all. */
let items: ForcedItem[];
let tensors = 0;

beforeAll(async () => {
  await startEngine();
  gsva = recorded.buildModel();
  const [first, second] = await encodeImages(gsva, await recorded.preparedImages());
  if (first === undefined || second === undefined) throw new Error('the recording has two images');
  const [long, short] = [recorded.conversation(0), recorded.conversation(1)];
  items = [
    { image: first, conversation: withAnswers(long, [seg, seg, rej]) },
    { image: second, conversation: withAnswers(short, [seg, seg]) },
    { image: second, conversation: withAnswers(short, [rej, rej]) },
    { image: first, conversation: withAnswers(long, [rej, seg, seg]) },
    { image: first, conversation: { inputIds: long.inputIds, labels: long.inputIds.map(() => -100) } },
  ];
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

/** The conversation with other [SEG]s and [REJ]s. */
function withAnswers({ inputIds, labels }: TokenizedConversation, answers: readonly number[]): TokenizedConversation {
  const left = [...answers];
  const ids = inputIds.map((id) => (id === seg || id === rej ? (left.shift() ?? id) : id));
  return { inputIds: ids, labels: labels.map((label, t) => (label === -100 ? -100 : (ids[t] ?? label))) };
}

describe('teacherForce', () => {
  test('a batch gives what its items give alone', async () => {
    for (const masks of ['every', 'given'] as const) {
      const together = await teacherForce(gsva, vocabulary, items, masks);
      const alone = (await Promise.all(items.map((item) => teacherForce(gsva, vocabulary, [item], masks)))).flat();
      for (const [i, answer] of together.entries()) {
        const other = alone[i];
        expect(answer.outputIds).toEqual(other?.outputIds);
        expect(answer.decisions.map((d) => d.answer)).toEqual(other?.decisions.map((d) => d.answer));
        expect(answer.masks).toHaveLength(other?.masks.length ?? -1);
        for (const [j, mask] of answer.masks.entries()) {
          expect(largestGap(mask.data, other?.masks[j]?.data ?? [])).toBeLessThan(1e-5);
        }
      }
    }
  });

  test('the second pass, run from the first [REJ] on, has the masks of a whole pass with [SEG] everywhere', async () => {
    const answers = await teacherForce(gsva, vocabulary, items);
    const allSeg = items.map(({ image, conversation }) => {
      const count = conversation.labels.filter((id) => id === seg || id === rej).length;
      return {
        image,
        conversation: count === 0 ? conversation : withAnswers(conversation, Array<number>(count).fill(seg)),
      };
    });
    const whole = await teacherForce(gsva, vocabulary, allSeg, 'given');
    expect(answers.map(({ masks }) => masks.length)).toEqual([3, 2, 2, 3, 0]);
    for (const [i, { masks }] of answers.entries()) {
      for (const [j, mask] of masks.entries()) {
        expect(largestGap(mask.data, whole[i]?.masks[j]?.data ?? [])).toBeLessThan(1e-5);
      }
    }
  });

  test('masks of the given [SEG]s have the size of their image', async () => {
    const answers = await teacherForce(gsva, vocabulary, items, 'given');
    expect(answers.map(({ masks }) => masks.length)).toEqual([2, 2, 0, 2, 0]);
    for (const [i, { masks }] of answers.entries()) {
      for (const { height, width } of masks) expect([height, width]).toEqual([...(items[i]?.image.original ?? [])]);
    }
  });

  test('only supervised places are decided: a [SEG] in the question stays as it is', async () => {
    const item = items[0] as ForcedItem;
    const { inputIds, labels } = item.conversation;
    const asked = {
      inputIds: [...inputIds.slice(0, 10), seg, rej, ...inputIds.slice(10)],
      labels: [...labels.slice(0, 10), -100, -100, ...labels.slice(10)],
    };
    const [answer] = await teacherForce(gsva, vocabulary, [{ image: item.image, conversation: asked }]);
    expect(answer?.decisions).toHaveLength(3);
    expect(answer?.outputIds.slice(0, 12)).toEqual(asked.inputIds.slice(0, 12));
  });

  test('nothing asked, nothing answered', async () => {
    expect(await teacherForce(gsva, vocabulary, [])).toEqual([]);
  });

  test('with the columns of [SEG] and [REJ] swapped in the head, every probability is the complement', async () => {
    const [before] = await teacherForce(gsva, vocabulary, [items[0] as ForcedItem]);
    swapHeadColumns(gsva, seg, rej);
    const [after] = await teacherForce(gsva, vocabulary, [items[0] as ForcedItem]);
    swapHeadColumns(gsva, seg, rej);
    for (const [i, { rejectProbability }] of (before?.decisions ?? []).entries()) {
      expect(rejectProbability + (after?.decisions[i]?.rejectProbability ?? 0)).toBeCloseTo(1, 5);
    }
  });
});

describe('the decision', () => {
  test('at a given [SEG] anything else rejects; at a given [REJ] anything else segments', () => {
    expect([seg, rej, 17].map((argmax) => forcedDecision(argmax, seg, vocabulary))).toEqual([
      'found',
      'absent',
      'absent',
    ]);
    expect([seg, rej, 17].map((argmax) => forcedDecision(argmax, rej, vocabulary))).toEqual([
      'found',
      'absent',
      'found',
    ]);
  });

  test('the probability of a rejection is the softmax over [REJ] and [SEG] alone', () => {
    const logits = new Float32Array(604);
    logits[17] = 50;
    logits[seg] = 1;
    logits[rej] = 3;
    const { argmax, rejectProbability } = readNextToken(logits, vocabulary);
    expect(argmax).toBe(17);
    expect(rejectProbability).toBeCloseTo(Math.exp(3) / (Math.exp(3) + Math.exp(1)), 6);
    logits[rej] = 3000;
    expect(readNextToken(logits, vocabulary).rejectProbability).toBe(1);
    logits[rej] = -3000;
    expect(readNextToken(logits, vocabulary).rejectProbability).toBe(0);
  });
});
