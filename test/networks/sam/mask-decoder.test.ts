/** F_mask: published parameters, equal to the definition; queries of a batch do not see each other. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { MaskDecoder, type MaskDecoderInput } from '../../../src/networks/sam/mask-decoder.js';
import { Random } from '../../../src/random.js';
import { checkLayer } from '../../check-layer.js';
import { type Matrix, toRows } from '../../helpers/naive.js';
import { publishedShapes, SMALL, TINY } from '../../helpers/small-model.js';
import { buildRandom, largestDifference, normal, valuesOf } from '../../helpers/tensors.js';
import { naiveMaskDecoder, Weights } from './naive-decoder.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

checkLayer('MaskDecoder', {
  create: () => new MaskDecoder(TINY.sam),
  inputs: (random) =>
    [
      [2, 4, 6, 32],
      [1, 4, 6, 32],
      [2, 1, 32],
    ].map((shape) => normal(random, shape)),
  outputShapes: [
    [2, 16, 24],
    [2, 1],
  ],
  parameters: publishedShapes('model.visual_model.mask_decoder.'),
  // Multimask output is off: the first mask token's hypernetwork alone is asked.
  withoutGradient: /k_proj\.bias$|^output_hypernetworks_mlps\.[123]\./,
});

const SIZE = SMALL.sam.promptEmbedDim;

function inputOf(queries: number, prompts: number): MaskDecoderInput {
  const random = new Random(2);
  return {
    imageEmbeddings: normal(random, [queries, 4, 4, SIZE]) as tf.Tensor4D,
    densePositions: normal(random, [1, 4, 4, SIZE]) as tf.Tensor4D,
    sparsePrompts: normal(random, [queries, prompts, SIZE]) as tf.Tensor3D,
  };
}

/** The input of query `index` alone. */
function only(input: MaskDecoderInput, index: number): MaskDecoderInput {
  return {
    ...input,
    imageEmbeddings: tf.slice(input.imageEmbeddings, [index, 0, 0, 0], [1, -1, -1, -1]),
    sparsePrompts: tf.slice(input.sparsePrompts, [index, 0, 0], [1, -1, -1]),
  };
}

describe('MaskDecoder', () => {
  test.each([1, 3])('every query is decoded as if alone, with %d prompts each', (prompts) => {
    const decoder = buildRandom(new MaskDecoder(SMALL.sam), new Random(1));
    tf.tidy(() => {
      const input = inputOf(3, prompts);
      const together = decoder.forward(input);
      for (const index of [0, 1, 2]) {
        const alone = decoder.forward(only(input, index));
        const mask = tf.slice(together.lowResMasks, [index, 0, 0], [1, -1, -1]);
        const iou = tf.slice(together.iou, [index, 0], [1, 1]);
        expect(largestDifference(valuesOf(alone.lowResMasks), valuesOf(mask))).toBeLessThan(1e-5);
        expect(largestDifference(valuesOf(alone.iou), valuesOf(iou))).toBeLessThan(1e-5);
      }
    });
    decoder.dispose();
  });

  test('equals the definition: the first mask token makes the mask, the IoU token its score', () => {
    const decoder = buildRandom(new MaskDecoder(SMALL.sam), new Random(1));
    tf.tidy(() => {
      const input = inputOf(2, 1);
      const out = decoder.forward(input);
      const rows = (x: tf.Tensor, index: number): Matrix => toRows(valuesOf(tf.slice(x, [index], [1])), SIZE);
      for (const index of [0, 1]) {
        const expected = naiveMaskDecoder(
          new Weights(decoder),
          {
            cells: rows(input.imageEmbeddings, index),
            positions: rows(input.densePositions, 0),
            prompts: rows(input.sparsePrompts, index),
            height: 4,
            width: 4,
          },
          { heads: SMALL.sam.decoderHeads, depth: SMALL.sam.decoderDepth },
        );
        const mask = valuesOf(tf.slice(out.lowResMasks, [index], [1]));
        expect(largestDifference(mask, expected.mask)).toBeLessThan(1e-5);
        expect(largestDifference(valuesOf(tf.slice(out.iou, [index], [1])), [expected.iou])).toBeLessThan(1e-5);
      }
    });
    decoder.dispose();
  });

  test('another query gives another mask of the same image', () => {
    const decoder = buildRandom(new MaskDecoder(SMALL.sam), new Random(1));
    tf.tidy(() => {
      const input = inputOf(1, 1);
      const other = { ...input, sparsePrompts: normal(new Random(9), [1, 1, SIZE]) as tf.Tensor3D };
      const masks = [input, other].map((one) => valuesOf(decoder.forward(one).lowResMasks)) as [
        Float32Array,
        Float32Array,
      ];
      expect(largestDifference(...masks)).toBeGreaterThan(1e-3);
    });
    decoder.dispose();
  });
});
