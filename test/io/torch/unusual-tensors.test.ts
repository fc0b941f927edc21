/** Tensors that are listed alone, and those whose numbers are not as they lie in the file. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { memoryOpener } from '../../helpers/memory-opener.js';
import { call, dict, global, list, persistentId, pickle, tuple } from '../../../src/io/torch/pickle-writer.js';
import { openSafetensors } from '../../../src/io/safetensors/safetensors.js';
import { openTorchCheckpoint, type TorchCheckpoint } from '../../../src/io/torch/torch-checkpoint.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-unusual-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

type Value = Parameters<typeof pickle>[0];

/** A checkpoint of the older form with one storage of two elements. */
function checkpoint(type: string, bytes: Uint8Array, tensorOf: (storage: Value) => Value): TorchCheckpoint {
  const storage = persistentId(tuple('storage', global('torch', type), '0', 'cpu', 2));
  const count = Buffer.alloc(8);
  count.writeBigInt64LE(2n);
  const file = Buffer.concat([
    Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex'),
    pickle(1001),
    pickle(dict({ little_endian: true })),
    pickle(dict({ w: tensorOf(storage) })),
    pickle(list(['0'])),
    count,
    bytes,
  ]);
  return openTorchCheckpoint('made', memoryOpener(file, 'made'));
}

const hooks = call(global('collections', 'OrderedDict'), []);
const rebuilt = (storage: Value, ...more: Value[]): Value => {
  return call(global('torch._utils', '_rebuild_tensor_v2'), [storage, 0, tuple(2), tuple(1), false, hooks, ...more]);
};
const bytesOf = (values: Float32Array | Uint16Array | BigInt64Array | Float64Array): Uint8Array => {
  return new Uint8Array(values.buffer);
};

describe("PyTorch's negative bit", () => {
  const negative = (storage: Value): Value => rebuilt(storage, dict({ neg: true }));

  test('turns the sign of every number', () => {
    const floats = checkpoint('FloatStorage', bytesOf(Float32Array.of(1, -2.5)), negative);
    expect(floats.tensors.get('w')?.read()).toEqual(Float32Array.of(-1, 2.5));
    const brain = checkpoint('BFloat16Storage', bytesOf(Uint16Array.of(0x3f80, 0xc000)), negative);
    expect(brain.tensors.get('w')?.read()).toEqual(Uint16Array.of(0xbf80, 0x4000));
    const whole = checkpoint('LongStorage', bytesOf(BigInt64Array.of(3n, -4n)), negative);
    expect(whole.tensors.get('w')?.read()).toEqual(BigInt64Array.of(-3n, 4n));
  });

  test('that is not set leaves them', () => {
    const floats = checkpoint('FloatStorage', bytesOf(Float32Array.of(1, -2.5)), (storage) =>
      rebuilt(storage, dict({ neg: false })),
    );
    expect(floats.tensors.get('w')?.read()).toEqual(Float32Array.of(1, -2.5));
  });
});

test('attributes of a tensor and of a parameter are dropped', () => {
  const floats = bytesOf(Float32Array.of(1, 2));
  const parameter = checkpoint('FloatStorage', floats, (storage) => {
    const state = dict({ _is_hf_initialized: true });
    return call(global('torch._utils', '_rebuild_parameter_with_state'), [rebuilt(storage), true, hooks, state]);
  });
  expect(parameter.tensors.get('w')?.read()).toEqual(Float32Array.of(1, 2));
  const tagged = checkpoint('FloatStorage', floats, (storage) => {
    const args = tuple(storage, 0, tuple(2), tuple(1), false, hooks);
    const inner = [
      global('torch._utils', '_rebuild_tensor_v2'),
      global('torch', 'Tensor'),
      args,
      dict({ tag: 'hello' }),
    ];
    return call(global('torch._tensor', '_rebuild_from_type_v2'), inner);
  });
  expect(tagged.tensors.get('w')?.read()).toEqual(Float32Array.of(1, 2));
});

describe('types that are not computed with', () => {
  test.each([
    ['F8_E4M3', [2, 3], 6],
    ['F4', [4, 16], 32],
    ['C64', [2], 16],
  ])('safetensors: %s is listed, and refused when it is read', (dtype, shape, bytes) => {
    const header = Buffer.from(JSON.stringify({ w: { dtype, shape, data_offsets: [0, bytes] } }));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const path = join(scratch, `${dtype}.safetensors`);
    writeFileSync(path, Buffer.concat([length, header, Buffer.alloc(bytes)]));
    const tensor = openSafetensors(path).tensors.get('w');
    expect(tensor).toMatchObject({ dtype, shape, source: path });
    expect(() => tensor?.read()).toThrow(`tensor "w": it is of type ${dtype}, which is listed and not computed with`);
  });

  test('PyTorch: complex numbers', () => {
    const complex = checkpoint('ComplexFloatStorage', bytesOf(Float64Array.of(1, 2)), (storage) => rebuilt(storage));
    expect(complex.tensors.get('w')).toMatchObject({ dtype: 'C64', shape: [2] });
    expect(() => complex.tensors.get('w')?.read()).toThrow('it is of type C64, which is listed and not computed with');
  });
});
