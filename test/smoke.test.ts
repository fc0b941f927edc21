import { expect, test } from '@jest/globals';
import * as tf from '../src/engine/tf.js';
test('x', () => { expect(tf.layers.dense).toBeDefined(); });
