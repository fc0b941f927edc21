/** A profile counts the kernels of the work, once each, and leaves nothing behind. */
import { expect, test } from '@jest/globals';
import { profileKernels } from '../../src/benchmark/kernel-profile.js';
import { startEngine } from '../../src/engine/engine.js';
import { layerNorm } from '../../src/engine/fused-ops.js';
import * as tf from '../../src/engine/tf.js';

test.each(['wasm', 'cpu'])(
  'on %s every kernel is listed with its calls and the shapes of the longest',
  async (engine) => {
    await startEngine({ engine });
    const [x, scale, shift] = [tf.ones([4, 8]), tf.ones([8]), tf.zeros([8])] as [tf.Tensor2D, tf.Tensor1D, tf.Tensor1D];
    const before = tf.memory().numTensors;
    const work = async (): Promise<void> => {
      const y = tf.tidy(() => layerNorm(tf.matMul(tf.matMul(x, x, false, true), x), scale, shift, 1e-5));
      await y.data();
      y.dispose();
    };
    const { kernels, calls, kernelMilliseconds, milliseconds, peakBytes, startBytes } = await profileKernels(work);
    const product = kernels.find(({ kernel }) => kernel === 'BatchMatMul');
    expect(product?.calls).toBe(2);
    expect(product?.longest.shapes).toMatch(/^\[(1, )?4, \d\] /);
    expect(calls).toBe(kernels.reduce((sum, kernel) => sum + kernel.calls, 0));
    expect(kernels.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
    expect(kernelMilliseconds).toBeLessThanOrEqual(milliseconds);
    expect(peakBytes).toBeGreaterThan(startBytes);
    // A fused operation is one kernel where it is one, and counted by its parts where it is a formula.
    const isFormula = kernels.every(({ kernel }) => !/LayerNorm/i.test(kernel));
    expect(isFormula).toBe(engine === 'cpu');
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([x, scale, shift]);
  },
);
