/**
 * Weights kept in 16 bits: loaded and stored as they are, never rounded unasked, and a model that has them answers as one
 * with the same numbers in float32 does, on every engine; what trains beside them gets the same gradients.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import { findInstallation } from '../../src/engine/tensorflow-installation.js';
import * as tf from '../../src/engine/tf.js';
import { UserError } from '../../src/errors.js';
import { float32ToHalf } from '../../src/half-float.js';
import { type FileTensor, type FileTensors, inMemory } from '../../src/io/file-tensor.js';
import { openSafetensors } from '../../src/io/safetensors/safetensors.js';
import { toFloat32 } from '../../src/io/file-tensor.js';
import { writeSafetensors } from '../../src/io/safetensors/safetensors-writer.js';
import { LlavaSam } from '../../src/systems/shared/llava-sam.js';
import { tensorsToPack } from '../../src/checkpoints/precision.js';
import { loadWeights, nameInModel, PUBLISHED_PREFIX, storableWeights } from '../../src/checkpoints/weights.js';
import { trainableVariables } from '../../src/training/trainable.js';
import { ModelCase } from '../../src/verification/model-case.js';
import { fixture } from '../helpers/fixtures.js';
import { largest, largestDifference, valuesOf } from '../helpers/tensors.js';
import { startWasmEngine } from '../helpers/wasm-engine.js';
import { wholeForward } from '../helpers/whole-forward.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-packed-'));
/** The recorded model, stored in BF16, its LoRA in F32. */
const path = join(scratch, 'model.safetensors');
const recorded = new ModelCase(fixture('gsva-tiny'));
const isTrained = /lora_|lm_head|embed_tokens|text_hidden_fcs|mask_decoder/;

beforeAll(() => {
  const { tensors } = openSafetensors(fixture('gsva-tiny', 'model.safetensors'));
  const stored = [...tensors].map(([name, tensor]) => {
    const data = toFloat32({ ...tensor, data: tensor.read() });
    return [name, { shape: tensor.shape, data, dtype: name.includes('lora_') ? 'F32' : 'BF16' }] as const;
  });
  writeSafetensors(path, new Map(stored));
});
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

/** The model of the file; packed are those of its matrices that `select` takes. */
function load(select: (name: string) => boolean, tensors: FileTensors = openSafetensors(path).tensors): LlavaSam {
  const gsva = new LlavaSam(recorded.config);
  try {
    gsva.packWeights(select);
    gsva.build();
    loadWeights(gsva, tensors, 'f');
  } catch (error) {
    gsva.dispose();
    throw error;
  }
  return gsva;
}

const isLora = (name: string): boolean => name.includes('lora_');

const engines = ['cpu', 'wasm', 'fastest WASM', ...(findInstallation() === null ? [] : ['tensorflow'])];
describe.each(engines)('a packed model on %s', (engine) => {
  let tensors = 0;
  beforeAll(async () => {
    if (engine.includes('WASM')) await startWasmEngine();
    else await startEngine({ engine, threads: 2, device: 'cpu' });
  });
  beforeEach(() => {
    tensors = tf.memory().numTensors;
  });
  afterEach(() => {
    expect(tf.memory().numTensors).toBe(tensors);
  });

  const outputs = (gsva: LlavaSam): Float32Array[] => {
    const found: Float32Array[] = [];
    tf.tidy(() => {
      const { logits, lowResMasks, iou } = wholeForward(gsva, {
        clipImages: recorded.imageTensor('images_clip'),
        samImages: recorded.imageTensor('images'),
        tokens: recorded.tokens,
      });
      found.push(...[logits, lowResMasks, iou].map(valuesOf));
    });
    return found;
  };

  test('answers as the same numbers in float32 do', () => {
    const [plain, packed] = [load(() => false), load(() => true)];
    expect(packed.packedParameters().size).toBeGreaterThan(60);
    const expected = outputs(plain);
    for (const [i, found] of outputs(packed).entries()) {
      const reference = expected[i] as Float32Array;
      expect(largestDifference(found, reference) / largest(reference)).toBeLessThan(1e-5);
    }
    for (const gsva of [plain, packed]) gsva.dispose();
  });

  // The JavaScript backend takes its time, and the formulas' gradient is tested by itself (packed-matrix.test.ts).
  const trains = engine === 'cpu' ? test.skip : test;
  trains('trains what is not packed with the same gradients', () => {
    const gradients = (gsva: LlavaSam): Map<string, Float32Array> => {
      const variables = trainableVariables(gsva, 'gsva');
      const { value, grads } = tf.variableGrads(() => {
        const { logits, lowResMasks } = wholeForward(gsva, {
          clipImages: recorded.imageTensor('images_clip'),
          samImages: recorded.imageTensor('images'),
          tokens: recorded.tokens,
        });
        return tf.add<tf.Scalar>(tf.mean(tf.square(logits)), tf.mean(tf.square(lowResMasks)));
      }, [...variables.values()]);
      const byName = new Map<string, Float32Array>();
      for (const [name, variable] of variables) {
        const gradient = (grads as Record<string, tf.Tensor | null>)[variable.name] ?? null;
        if (gradient !== null) byName.set(name, valuesOf(gradient));
      }
      tf.dispose([value, ...Object.values(grads)]);
      return byName;
    };
    const [plain, packed] = [load(() => false), load((name) => !isTrained.test(name))];
    const expected = gradients(plain);
    const found = gradients(packed);
    expect([...found.keys()]).toEqual([...expected.keys()]);
    expect([...expected.keys()].filter(isLora).length).toBeGreaterThan(0);
    const largestOfAll = Math.max(...[...expected.values()].map(largest));
    for (const [name, gradient] of found) {
      const reference = expected.get(name) as Float32Array;
      // A bias of keys has the gradient 0, and rounding in its place.
      const error = largestDifference(gradient, reference) / (largest(reference) + 1e-3 * largestOfAll);
      expect([name, error < 1e-4 ? 'near' : error]).toEqual([name, 'near']);
    }
    for (const gsva of [plain, packed]) gsva.dispose();
  });
});

describe('loading and storing', () => {
  beforeAll(async () => {
    await startWasmEngine();
  });

  test('what is packed is no variable, and is stored again as it was', async () => {
    const gsva = load((name) => name.startsWith('model.layers.0.'));
    const packed = [...gsva.packedParameters().keys()];
    expect(packed.length).toBe(7);
    const all = [...openSafetensors(path).tensors.keys()].map(nameInModel);
    const named = [...gsva.namedParameters().keys()];
    expect([...named, ...packed].sort()).toEqual(all.sort());
    expect(gsva.weights).toHaveLength(named.length);
    const again = join(scratch, 'again.safetensors');
    writeSafetensors(again, await storableWeights(gsva, { dtype: 'BF16' }));
    const [before, after] = [openSafetensors(path).tensors, openSafetensors(again).tensors];
    for (const name of packed) {
      const stored = after.get(PUBLISHED_PREFIX + name) as FileTensor;
      const original = before.get(PUBLISHED_PREFIX + name) as FileTensor;
      expect([stored.dtype, stored.shape, stored.read()]).toEqual([original.dtype, original.shape, original.read()]);
    }
    gsva.dispose();
    expect(readFileSync(again).length).toBeGreaterThan(0);
  });

  test('F16 stays F16; F32 is refused, or rounded where that is asked for; nothing is changed by a refusal', () => {
    const { tensors } = openSafetensors(path);
    const name = 'model.layers.1.mlp.up_proj.weight';
    const key = PUBLISHED_PREFIX + name;
    const original = tensors.get(key) as FileTensor;
    const values = toFloat32({ ...original, data: original.read() });
    const withOne = (tensor: Partial<FileTensor> & { data: Float32Array | Uint16Array }): FileTensors =>
      new Map([...tensors, [key, inMemory({ ...original, ...tensor })]]);
    const isOne = (own: string): boolean => own === name;
    const half = load(isOne, withOne({ dtype: 'F16', data: float32ToHalf(values) }));
    expect(half.packedParameters().get(name)?.matrix.dtype).toBe('F16');
    expect(half.packedParameters().get(name)?.matrix.bits()).toEqual(float32ToHalf(values));
    const single = withOne({ dtype: 'F32', data: values });
    const message = new RegExp(`"${name}" is stored as F32.*16 bits`);
    expect(() => loadWeights(half, single, 'f')).toThrow(UserError);
    expect(() => loadWeights(half, single, 'f')).toThrow(message);
    expect(half.packedParameters().get(name)?.matrix.dtype).toBe('F16');
    loadWeights(half, single, 'f', { roundPacked: true });
    expect(half.packedParameters().get(name)?.matrix.dtype).toBe('BF16');
    expect(half.packedParameters().get(name)?.matrix.bits()).toEqual(original.read());
    const turned = withOne({ shape: [...original.shape].reverse(), data: original.read() as Uint16Array });
    expect(() => loadWeights(half, turned, 'f')).toThrow('has shape');
    half.dispose();
  });

  test('is chosen before build only', () => {
    const gsva = load(() => false);
    expect(() => {
      gsva.packWeights(() => true);
    }).toThrow('before build()');
    gsva.dispose();
  });

  test('auto packs what is stored in 16 bits where float32 does not fit; packed all that is large; f32 nothing', () => {
    const entry = (dtype: 'F32' | 'BF16', size: number): FileTensor => {
      return { dtype, shape: [size, 1024], read: () => new Uint16Array(0) };
    };
    const tensors = new Map([
      [`${PUBLISHED_PREFIX}large`, entry('BF16', 1024)],
      ['single', entry('F32', 1024)],
      ['small', entry('BF16', 2)],
    ]);
    const bytes = 4 * 1024 * (1024 + 1024 + 2);
    const chosen = (precision: 'auto' | 'f32' | 'packed', room: number): string[] => [
      ...tensorsToPack(tensors, precision, room),
    ];
    expect(chosen('auto', 1.6 * bytes)).toEqual([]);
    expect(chosen('auto', 1.4 * bytes)).toEqual(['large']);
    expect(chosen('packed', 100 * bytes)).toEqual(['large', 'single']);
    expect(chosen('f32', 0)).toEqual([]);
  });
});

test('a number that 16 bits cannot hold is refused by name; it would be Infinity', async () => {
  await startEngine({ engine: 'wasm' });
  const tensors = new Map(openSafetensors(path).tensors);
  const name = `${PUBLISHED_PREFIX}model.layers.0.mlp.up_proj.weight`;
  const { shape } = tensors.get(name) as FileTensor;
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  data[5] = 3.4028234e38;
  tensors.set(name, inMemory({ dtype: 'F32', shape, data }));
  const gsva = new LlavaSam(recorded.config);
  gsva.packWeights((packed) => !isLora(packed));
  gsva.build();
  expect(() => loadWeights(gsva, tensors, 'f', { roundPacked: true })).toThrow(
    /up_proj\.weight" holds 3\.40\d*e\+38.*BF16/,
  );
  gsva.dispose();
});
