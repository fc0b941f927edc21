/** Weights in and out: exact round trip, strict both ways, nothing changed by a load that fails. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { UserError } from '../../src/errors.js';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { type FileTensors, inMemory, type StoredTensor } from '../../src/io/file-tensor.js';
import { loadWeights, PUBLISHED_PREFIX, storableWeights } from '../../src/checkpoints/weights.js';
import { CompositeLayer } from '../../src/nn/composite-layer.js';
import { PatchConvolution, PatchDeconvolution } from '../../src/nn/convolution.js';
import { Linear } from '../../src/nn/layers.js';
import { Random } from '../../src/random.js';
import { buildRandom, stored, valuesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

/** One parameter of every layout. */
class Parts extends CompositeLayer {
  static readonly className = 'TestParts';

  constructor() {
    super();
    this.track('first', new Linear({ inputSize: 2, outputSize: 3 }));
    this.track('patch', new PatchConvolution({ inputSize: 2, outputSize: 3, kernel: 2, useBias: false }));
    this.track('up', new PatchDeconvolution({ inputSize: 2, outputSize: 3, kernel: 2 }));
  }
}

const NAMES = ['first.weight', 'first.bias', 'patch.weight', 'up.weight', 'up.bias'];

function random(seed: number): Parts {
  return buildRandom(new Parts(), new Random(seed));
}

async function tensorsOf(layer: CompositeLayer): Promise<Map<string, StoredTensor>> {
  return new Map(
    [...(await storableWeights(layer))].map(
      ([name, { shape, data }]) => [name, { dtype: 'F32', shape, data }] as const,
    ),
  );
}

function files(tensors: ReadonlyMap<string, StoredTensor>): FileTensors {
  return new Map([...tensors].map(([key, tensor]) => [key, inMemory(tensor)]));
}

function valuesOfAll(layer: CompositeLayer): number[][] {
  return [...layer.namedParameters().values()].map(({ variable }): number[] => [...valuesOf(variable.read())]);
}

/** Loading must fail with this message and change nothing. */
async function expectRefused(change: (tensors: Map<string, StoredTensor>) => void, message: string): Promise<void> {
  const tensors = await tensorsOf(random(1));
  change(tensors);
  const layer = random(2);
  const before = valuesOfAll(layer);
  const load = (): void => {
    loadWeights(layer, files(tensors), 'some/model.safetensors');
  };
  expect(load).toThrow(UserError);
  expect(load).toThrow(message);
  expect(valuesOfAll(layer)).toEqual(before);
}

const name = (own: string): string => PUBLISHED_PREFIX + own;

describe('loadWeights', () => {
  test('takes what storableWeights gives, bit for bit, and leaves no tensor behind', async () => {
    const [from, to] = [random(1), random(2)];
    const numTensors = tf.memory().numTensors;
    const report = loadWeights(to, files(await tensorsOf(from)), 'f');
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(report).toEqual({ loaded: NAMES, missing: [], unused: [], rounded: [] });
    expect(valuesOfAll(to)).toEqual(valuesOfAll(from));
  });

  test('stores PyTorch layouts: Linear [out, in], conv [out, in, k, k], transposed conv [in, out, k, k]', async () => {
    const tensors = await tensorsOf(random(1));
    expect(NAMES.map((own) => tensors.get(name(own))?.shape)).toEqual([[3, 2], [3], [3, 2, 2, 2], [2, 3, 2, 2], [3]]);
  });

  test('names may come without the published prefix', async () => {
    const [from, to] = [random(1), random(2)];
    const tensors = new Map(
      [...(await tensorsOf(from))].map(([key, tensor]) => [key.slice(PUBLISHED_PREFIX.length), tensor]),
    );
    loadWeights(to, files(tensors), 'f');
    expect(valuesOfAll(to)).toEqual(valuesOfAll(from));
  });

  test('reads half precision', async () => {
    const layer = random(1);
    const half: StoredTensor = { dtype: 'F16', shape: [3], data: Uint16Array.of(0x3c00, 0xc000, 0x3555) };
    const tensors = (await tensorsOf(layer)).set(name('first.bias'), half);
    loadWeights(layer, files(tensors), 'f');
    expect([...stored(layer, 'first.bias').data]).toEqual([1, -2, Math.fround(0.333251953125)]);
  });

  test('refuses a missing tensor by name, many by three names and a count', async () => {
    await expectRefused(
      (tensors) => tensors.delete(name('up.bias')),
      'some/model.safetensors lacks "up.bias"; check that weights and config belong together',
    );
    await expectRefused((tensors) => {
      tensors.clear();
    }, 'some/model.safetensors lacks "first.weight", "first.bias", "patch.weight" and 2 more;');
  });

  test('refuses a left-over tensor by name', async () => {
    await expectRefused(
      (tensors) => tensors.set(name('second.bias'), { dtype: 'F32', shape: [1], data: Float32Array.of(1) }),
      'some/model.safetensors holds, but this model has no place for, "second.bias"',
    );
  });

  test('refuses a wrong shape with both shapes, also when only the order of axes is wrong', async () => {
    await expectRefused(
      (tensors) => tensors.set(name('first.weight'), { dtype: 'F32', shape: [2, 3], data: new Float32Array(6) }),
      'tensor "first.weight" has shape [2, 3], the model\'s config asks for [3, 2]',
    );
    await expectRefused(
      (tensors) => tensors.set(name('up.weight'), { dtype: 'F32', shape: [3, 2, 2, 2], data: new Float32Array(24) }),
      '"up.weight" has shape [3, 2, 2, 2], the model\'s config asks for [2, 3, 2, 2]',
    );
  });

  test('refuses integers before anything changes', async () => {
    await expectRefused(
      (tensors) =>
        tensors.set(name('up.bias'), { dtype: 'I64', shape: [3], data: BigInt64Array.of(1n, 2n, 2n ** 60n) }),
      'tensor "up.bias" is of type I64, but weights are one of F32, F16, BF16, F64',
    );
  });

  test('what may be missing keeps its value, what may be unused is reported; known leftovers need no permission', async () => {
    const [from, to] = [random(1), random(2)];
    const kept = stored(to, 'up.bias').data;
    const tensors = await tensorsOf(from);
    tensors.delete(name('up.bias'));
    const extra: StoredTensor = { dtype: 'F32', shape: [1], data: Float32Array.of(1) };
    tensors.set(name('other.x'), extra).set(name('model.layers.0.self_attn.rotary_emb.inv_freq'), extra);
    const report = loadWeights(to, files(tensors), 'f', { mayBeMissing: /^up\./, mayBeUnused: /^other\./ });
    expect(report.missing).toEqual(['up.bias']);
    expect(report.unused).toEqual(['other.x', 'model.layers.0.self_attn.rotary_emb.inv_freq']);
    expect(stored(to, 'up.bias').data).toEqual(kept);
    expect(stored(to, 'up.weight').data).toEqual(stored(from, 'up.weight').data);
  });
});

test('storableWeights: selects, renames, says the precision', async () => {
  const out = await storableWeights(random(1), { select: (own) => own.startsWith('up.'), prefix: 'x.', dtype: 'BF16' });
  expect([...out.keys()]).toEqual(['x.up.weight', 'x.up.bias']);
  expect([...out.values()].map(({ dtype }) => dtype)).toEqual(['BF16', 'BF16']);
});
