/** Rotary position embedding (Su et al. 2021) in the half-split form of transformers' LLaMA (`rotate_half`). */
import * as tf from '../engine/tf.js';

/**
 * cos and sin tables [time, size] for positions start … start + time - 1.
 * Column j and j + size/2 hold the angle position · θ^(-2j/size).
 */
export function rotaryTables(
  start: number,
  time: number,
  size: number,
  theta: number,
): { cos: tf.Tensor2D; sin: tf.Tensor2D } {
  const half = size / 2;
  const cos = new Float32Array(time * size);
  const sin = new Float32Array(time * size);
  for (let j = 0; j < half; j++) {
    const frequency = Math.fround(1 / Math.fround(theta ** ((2 * j) / size)));
    for (let t = 0; t < time; t++) {
      const angle = Math.fround((start + t) * frequency);
      cos[t * size + j] = cos[t * size + j + half] = Math.cos(angle);
      sin[t * size + j] = sin[t * size + j + half] = Math.sin(angle);
    }
  }
  return { cos: tf.tensor2d(cos, [time, size]), sin: tf.tensor2d(sin, [time, size]) };
}
