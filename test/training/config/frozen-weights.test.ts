/**
 * Training with frozen weights in 16 bits: the gradients are those of the same rounded numbers in float32, on every engine
 * that runs here, and nothing is left behind.
 */
import { expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import { findInstallation } from '../../../src/engine/tensorflow-installation.js';
import * as tf from '../../../src/engine/tf.js';
import { bfloat16ToFloat32 } from '../../../src/half-float.js';
import type { ClipVisionTower } from '../../../src/networks/clip/vision-tower.js';
import { LlavaSam } from '../../../src/systems/shared/llava-sam.js';
import type { SamImageEncoder } from '../../../src/networks/sam/image-encoder.js';
import { packedBytes } from '../../../src/checkpoints/precision.js';
import { Random } from '../../../src/random.js';
import { type FrozenWeights, holdFrozenWeights } from '../../../src/training/config/frozen-weights.js';
import { trainableVariables } from '../../../src/training/trainable.js';
import { SMALL } from '../../helpers/small-model.js';
import { normal } from '../../helpers/tensors.js';
import { startWasmEngine } from '../../helpers/wasm-engine.js';
import { gsvaBatch, gsvaStep } from '../../helpers/small-batches.js';

/** The same draws whatever is packed. */
function model(pack: FrozenWeights): LlavaSam {
  const gsva = new LlavaSam({ ...SMALL, lora: { ...SMALL.lora, dropout: 0.2 } });
  holdFrozenWeights(gsva, 'gsva', pack, 1);
  gsva.build();
  gsva.randomize(new Random(5));
  const random = new Random(6);
  for (const [name, { variable }] of gsva.namedParameters()) {
    if (!name.includes('lora_B')) continue;
    tf.tidy(() => {
      variable.write(normal(random, variable.shape as number[], 0.3)); // 0 at the start, and A would get no gradient
    });
  }
  return gsva;
}

/** The model in 16 bits, and one whose weights are the same numbers as float32. */
function models(): { packed: LlavaSam; plain: LlavaSam } {
  const [packed, plain] = [model('bf16'), model('f32')];
  const parameters = plain.namedParameters();
  for (const [name, { matrix, layout }] of packed.packedParameters()) {
    const variable = parameters.get(name)?.variable;
    tf.tidy(() => {
      const numbers = tf.tensor2d(bfloat16ToFloat32(matrix.bits()), [matrix.rows, matrix.columns]);
      variable?.write(layout.kind === 'linear' ? tf.transpose(numbers) : numbers);
    });
  }
  return { packed, plain };
}

/** |a - b| / |b|, lengths of all values together. */
function relativeError(a: ReadonlyMap<string, Float32Array>, b: ReadonlyMap<string, Float32Array>): number {
  let [error, size] = [0, 0];
  for (const [name, expected] of b) {
    for (const [i, value] of expected.entries()) {
      error += ((a.get(name)?.[i] ?? NaN) - value) ** 2;
      size += value ** 2;
    }
  }
  return Math.sqrt(error / size);
}

type Values = ReadonlyMap<string, Float32Array>;

async function gradientsOf(gsva: LlavaSam): Promise<Values> {
  const batch = gsvaBatch();
  const { gradients } = await gsvaStep(gsva, batch, trainableVariables(gsva, 'gsva'), { dropoutSeed: 3 });
  const values = await read(gradients);
  tf.dispose([batch.clipFeatures, batch.imageEmbeddings]);
  return values;
}

async function featuresOf(gsva: LlavaSam): Promise<Values> {
  const { clip, sam } = gsva.config;
  const encode = (encoder: ClipVisionTower | SamImageEncoder, side: number): tf.Tensor =>
    tf.tidy(() => encoder.forward(normal(new Random(9), [1, side, side, 3]) as tf.Tensor4D));
  const features = [encode(gsva.encoders.clip, clip.imageSize), encode(gsva.encoders.sam, sam.imageSize)] as const;
  return read(
    new Map([
      ['F_V1', features[0]],
      ['F_V2', features[1]],
    ]),
  );
}

/** The numbers; disposes the tensors. */
async function read(tensors: ReadonlyMap<string, tf.Tensor>): Promise<Values> {
  const values = new Map<string, Float32Array>();
  for (const [name, tensor] of tensors) {
    values.set(name, Float32Array.from(await tensor.data()));
    tensor.dispose();
  }
  return values;
}

function weightBytes(gsva: LlavaSam): number {
  return [...gsva.namedParameters().values()].reduce((sum, { variable }) => sum + 4 * variable.read().size, 0);
}

/** What is true of every engine. */
async function check(): Promise<void> {
  const { numTensors, numBytes } = tf.memory();
  const { packed, plain } = models();
  const frozen = [...packed.packedParameters().values()].reduce((sum, { matrix }) => sum + 2 * matrix.bytes, 0);
  expect(weightBytes(plain) - weightBytes(packed)).toBe(frozen);
  expect(packedBytes(packed)).toBe(frozen / 2);
  expect(frozen / weightBytes(plain)).toBeGreaterThan(0.2);

  const expected = await gradientsOf(plain);
  const found = await gradientsOf(packed);
  expect([...found.keys()]).toEqual([...expected.keys()]);
  expect([...found.keys()].filter((name) => name.includes('lora_'))).toHaveLength(8);
  expect(relativeError(found, expected)).toBeLessThan(1e-6);
  expect(relativeError(await featuresOf(packed), await featuresOf(plain))).toBeLessThan(1e-6);

  // The comparison sees what rounding alone does.
  const unrounded = model('f32');
  expect(relativeError(found, await gradientsOf(unrounded))).toBeGreaterThan(1e-4);
  for (const gsva of [plain, packed, unrounded]) gsva.dispose();
  expect([tf.memory().numTensors, tf.memory().numBytes]).toEqual([numTensors, numBytes]);
}

const hasTensorflow = findInstallation() !== null;
if (!hasTensorflow) process.stderr.write('frozen weights on tensorflow are not tested: it is not set up\n');

test.each(['cpu', 'wasm', 'fastest WASM', ...(hasTensorflow ? ['tensorflow'] : [])])(
  'gradients and features on %s are those of the same numbers in float32, in half their memory',
  async (engine) => {
    if (engine.includes('WASM')) await startWasmEngine();
    else await startEngine({ engine, threads: 2, device: 'cpu' });
    await check();
  },
);
