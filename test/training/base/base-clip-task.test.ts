/** The base's CLIP task: labels of patches, and one step of learning. */
import { llavaSamPictures } from '../../../src/systems/shared/llava-sam-system.js';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { centreShare } from '../../../src/synthetic/expressions.js';
import { synthScene } from '../../../src/synthetic/scene.js';
import { COLOURS, SHAPES } from '../../../src/synthetic/shapes.js';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { LlavaSam } from '../../../src/systems/shared/llava-sam.js';
import { Random } from '../../../src/random.js';
import { BaseClipTask, patchLabels } from '../../../src/training/base/base-clip-task.js';
import { ScenePool } from '../../../src/training/base/base-task.js';
import { SMALL_TEXT, smallTokenizer } from '../../helpers/small-experiment.js';
import { plantNaN } from '../../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

describe('patchLabels', () => {
  test('the patch at an object’s centre shows that object, and empty corners are background', () => {
    let centres = 0;
    for (let index = 0; index < 20; index++) {
      const scene = synthScene(3, 'base', index);
      const labels = patchLabels(scene, 8);
      const crop = Math.min(scene.width, scene.height);
      scene.objects.forEach((object, i) => {
        if (object.visibility < 1 || (object.shape !== 'circle' && object.shape !== 'square')) return;
        const [x, y] = object.centre;
        const column = Math.floor((8 * (x - (scene.width - crop) / 2)) / crop);
        const row = Math.floor((8 * (y - (scene.height - crop) / 2)) / crop);
        if (column < 0 || column > 7 || row < 0 || row > 7) return;
        const patch = row * 8 + column;
        if (labels.colour[patch] === 0) return; // the patch may hold less of it than asked
        centres++;
        const [shareX, shareY] = centreShare(scene, i);
        expect(COLOURS[(labels.colour[patch] ?? 0) - 1]).toBe(object.colour);
        expect(SHAPES[labels.shape[patch] ?? -1]).toBe(object.shape);
        expect(labels.column[patch]).toBe(Math.floor(8 * shareX));
        expect(labels.row[patch]).toBe(Math.floor(8 * shareY));
      });
      labels.colour.forEach((colour, patch) => {
        expect((labels.shape[patch] ?? 0) < 0).toBe(colour === 0);
      });
    }
    expect(centres).toBeGreaterThan(15);
  });
});

describe('BaseClipTask', () => {
  test('one step lowers the loss and leaves only gradients behind; validation gives a share per question', async () => {
    const gsva = new LlavaSam(SMALL_TEXT);
    gsva.build();
    gsva.randomize(new Random(1));
    const none = (): Promise<void> => Promise.resolve();
    const shared = {
      gsva,
      encoder: { name: 'clip', input: llavaSamPictures(SMALL_TEXT).clip },
      tokenizer: smallTokenizer(),
      pool: new ScenePool(5),
      save: () => Promise.resolve([]),
      load: none,
    };
    const task = new BaseClipTask({ ...shared, scenes: 4, validationScenes: 2 });
    const batch = [task.prepare(0), task.prepare(1)];
    const before = tf.memory().numTensors;
    const first = await task.forwardBackward(batch);
    expect(tf.memory().numTensors).toBe(before + first.gradients.size);
    expect([...first.gradients.keys()].some((name) => name.startsWith('model.mm_projector.'))).toBe(true);
    for (const [name, gradient] of first.gradients) {
      const variable = task.variables.get(name);
      tf.tidy(() => {
        variable?.assign(tf.sub(variable, tf.mul(gradient, 0.01)));
      });
    }
    const second = await task.forwardBackward(batch);
    expect(second.losses.loss).toBeLessThan(first.losses.loss ?? 0);
    const shares = await task.validate();
    expect(Object.keys(shares)).toEqual(['colour', 'shape', 'column', 'row']);
    for (const share of Object.values(shares)) expect(share >= 0 && share <= 1).toBe(true);
    tf.dispose([...first.gradients.values(), ...second.gradients.values()]);
    plantNaN(gsva, 'model.mm_projector.weight');
    await expect(task.validate()).rejects.toThrow('the projector (φ): model.mm_projector.weight holds 1 NaN');
    gsva.dispose();
  });
});
