/** LlavaSam as a layer, and the steps that its callers use one by one. Its numbers are checked in llava-sam.test.ts. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { LlavaSam } from '../../../src/systems/shared/llava-sam.js';
import { MultimodalRows } from '../../../src/networks/multimodal-rows.js';
import { Random } from '../../../src/random.js';
import { checkLayer } from '../../check-layer.js';
import { publishedShapes, smallModel, TINY } from '../../helpers/small-model.js';
import { largestDifference, normal, stored, valuesOf } from '../../helpers/tensors.js';
import { wholeForward, type WholeInput } from '../../helpers/whole-forward.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

checkLayer('LlavaSam', {
  create: () => new LlavaSam(TINY),
  inputs: (random) => [
    normal(random, [2, 56, 56, 3]),
    normal(random, [2, 128, 128, 3]),
    // One [SEG] (600) in the first row, two in the second; <image> is -200.
    tf.tensor2d([1, -200, 5, 600, 7, 8, /**/ 1, 4, -200, 600, 601, 600], [2, 6], 'int32'),
    // The states before them, the picture in 16 tokens.
    tf.tensor1d([17, 21 + 17, 21 + 19], 'int32'),
  ],
  outputShapes: [
    [2, 21, 604],
    [3, 32, 32],
  ],
  parameters: publishedShapes(''),
  withoutGradient: new RegExp(
    [
      'k_proj\\.bias$',
      'vision_model\\.encoder\\.layers\\.2\\.|post_layernorm\\.',
      'output_hypernetworks_mlps\\.[123]\\.|iou_prediction_head\\.',
      'prompt_encoder\\.(mask_downscaling|point_embeddings|not_a_point_embed)',
    ].join('|'),
  ),
});

const TOKENS = {
  inputIds: Int32Array.of(1, -200, 5, 20, 7, 0, /**/ 1, 6, 20, 21, 20, 2),
  labels: null,
  lengths: [5, 6],
  batch: 2,
  time: 6,
};

function inputs(): WholeInput {
  const random = new Random(2);
  return {
    clipImages: normal(random, [2, 8, 8, 3]) as tf.Tensor4D,
    samImages: normal(random, [2, 32, 32, 3]) as tf.Tensor4D,
    tokens: TOKENS,
  };
}

describe('LlavaSam', () => {
  test('embed puts text and vision tokens where the layout says', () => {
    const gsva = smallModel(1);
    tf.tidy(() => {
      const layout = new MultimodalRows(TOKENS, gsva.patches);
      const vision = normal(new Random(3), [2, 4, 12]) as tf.Tensor3D;
      const embedded = gsva.embed(layout, vision);
      expect(embedded.shape).toEqual([2, 8, 12]);
      const table = stored(gsva, 'model.embed_tokens.weight').data;
      const text = (id: number): number[] => [...table.subarray(12 * id, 12 * id + 12)];
      const first = [...text(1), ...valuesOf(vision).subarray(0, 48), ...text(5), ...text(20), ...text(7)];
      const second = [1, 6, 20, 21, 20, 2, 0, 0].flatMap(text);
      expect([...valuesOf(embedded)]).toEqual([...first, ...second]);
    });
    gsva.dispose();
  });

  test('one mask per [SEG], of the image of its conversation, from the state before it', () => {
    const gsva = smallModel(1);
    tf.tidy(() => {
      const out = wholeForward(gsva, inputs());
      expect(out.maskRows).toEqual([0, 1, 1]);
      expect([out.logits.shape, out.lowResMasks.shape, out.iou.shape]).toEqual([
        [2, 8, 24],
        [3, 16, 16],
        [3, 1],
      ]);
      // [SEG] of row 0 is text position 3 → 6 with the vision tokens; those of row 1 are at 2 and 4.
      const queries = gsva.maskQueries(out.lastHidden, [5, 8 + 1, 8 + 3]);
      const masks = gsva.decodeMasks(queries, out.imageEmbeddings, [0, 1, 1]);
      expect(valuesOf(masks.lowResMasks)).toEqual(valuesOf(out.lowResMasks));
      const swapped = gsva.decodeMasks(queries, out.imageEmbeddings, [1, 0, 0]);
      expect(largestDifference(valuesOf(swapped.lowResMasks), valuesOf(out.lowResMasks))).toBeGreaterThan(1e-3);
    });
    gsva.dispose();
  });

  test('a reading that continues some rows of another has the states of a whole reading', () => {
    const gsva = smallModel(1);
    tf.tidy(() => {
      const { clipImages } = inputs();
      const features = { clip: gsva.encoders.clip.forward(clipImages) };
      const whole = gsva.read(new MultimodalRows(TOKENS, gsva.patches), features, { keepCache: true });
      // Position 6 of row 0 is its fourth text token, behind the picture of 4; row 1 is text alone and ends before.
      const rest = new MultimodalRows(whole.rows.behind(6, [0], TOKENS.inputIds), gsva.patches);
      expect([...rest.tokens.inputIds]).toEqual([20, 7]);
      const again = gsva.read(rest, features, { after: { reading: whole, rows: [0], from: 6 } });
      const expected = tf.slice(whole.hidden, [0, 6, 0], [1, 2, -1]);
      expect(largestDifference(valuesOf(again.hidden), valuesOf(expected))).toBeLessThan(1e-5);
      const after = { reading: again, rows: [0], from: 8 };
      expect(() => gsva.read(rest, features, { after })).toThrow('whose cache was not kept');
      expect(() => whole.rows.behind(3, [0], TOKENS.inputIds)).toThrow('is not behind the picture');
    });
    gsva.dispose();
  });

  test('a conversation of pure text is not touched by the image', () => {
    const gsva = smallModel(1);
    tf.tidy(() => {
      const tokens = { inputIds: Int32Array.of(1, 5, 6), labels: null, lengths: [3], batch: 1, time: 3 };
      const layout = new MultimodalRows(tokens, gsva.patches);
      const [a, b] = [3, 4].map((seed) => gsva.embed(layout, normal(new Random(seed), [1, 4, 12]) as tf.Tensor3D));
      if (a === undefined || b === undefined) throw new Error('two embeddings were expected');
      expect(a.shape).toEqual([1, 3, 12]);
      expect(valuesOf(a)).toEqual(valuesOf(b));
    });
    gsva.dispose();
  });

  test('an answer without [SEG] has logits and no masks', () => {
    const gsva = smallModel(1);
    tf.tidy(() => {
      const tokens = { inputIds: Int32Array.of(1, -200, 6), labels: null, lengths: [3], batch: 1, time: 3 };
      const random = new Random(2);
      const out = wholeForward(gsva, {
        clipImages: normal(random, [1, 8, 8, 3]) as tf.Tensor4D,
        samImages: normal(random, [1, 32, 32, 3]) as tf.Tensor4D,
        tokens,
      });
      expect(out.logits.shape).toEqual([1, 6, 24]);
      expect([out.lowResMasks.shape, out.iou.shape, out.maskRows]).toEqual([[0, 16, 16], [0, 1], []]);
    });
    gsva.dispose();
  });
});
