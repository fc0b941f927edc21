/** safetensors: what is written is read back, published recordings are read, hostile files give one clear error. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { UserError } from '../../../src/errors.js';
import { type TensorToStore, writeSafetensors } from '../../../src/io/safetensors/safetensors-writer.js';
import { type StoredTensor, readSafetensors } from '../../../src/io/safetensors/safetensors.js';
import { toFloat32 } from '../../../src/io/file-tensor.js';
import { fixture } from '../../helpers/fixtures.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-safetensors-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A file made of a header (object or exact text) and `dataLength` bytes counting up. */
function made(header: unknown, dataLength: number, headerLength?: number): string {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = Buffer.alloc(8 + json.length + dataLength);
  bytes.writeBigUInt64LE(BigInt(headerLength ?? json.length));
  json.copy(bytes, 8);
  for (let i = 0; i < dataLength; i++) bytes[8 + json.length + i] = i & 255;
  const path = join(folder, 'made.safetensors');
  writeFileSync(path, bytes);
  return path;
}

function tensorOf(tensors: ReadonlyMap<string, StoredTensor>, name: string): StoredTensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new Error(`no ${name}`);
  return tensor;
}

describe('reading and writing', () => {
  test('the recorded model is read and survives being written again, to the bit', () => {
    const model = readSafetensors(fixture('gsva-tiny', 'model.safetensors'));
    expect(model.tensors.size).toBeGreaterThan(100);
    const copy = new Map<string, TensorToStore>();
    for (const [name, tensor] of model.tensors) copy.set(name, { shape: tensor.shape, data: toFloat32(tensor) });
    const path = join(folder, 'copy.safetensors');
    writeSafetensors(path, copy, model.metadata);
    expect(readSafetensors(path)).toEqual(model);
  });

  test('the recorded case holds its 64-bit token ids', () => {
    const { tensors } = readSafetensors(fixture('gsva-tiny', 'case.safetensors'));
    const ids = tensorOf(tensors, 'input_ids');
    expect(ids.dtype).toBe('I64');
    expect(ids.shape).toEqual([2, 28]);
    expect(toFloat32(ids)).toContain(-200);
  });

  test('mixed types come back with shape and metadata, tensors start at multiples of 8, nothing else is left', () => {
    const path = join(folder, 'sub', 'mixed.safetensors');
    const tensors = new Map<string, TensorToStore>([
      ['bytes', { shape: [3], data: Uint8Array.of(1, 2, 255) }],
      ['half', { shape: [1, 3], data: Float32Array.of(0.5, -2, 65504), dtype: 'F16' }],
      ['brain', { shape: [1], data: Float32Array.of(3), dtype: 'BF16' }],
      ['ids', { shape: [2], data: Int32Array.of(-5, 2 ** 31 - 1) }],
      ['scalar', { shape: [], data: Float32Array.of(Math.fround(0.1)) }],
      ['none', { shape: [0, 4], data: new Float32Array(0) }],
    ]);
    writeSafetensors(path, tensors, { step: '7' });
    const read = readSafetensors(path);
    expect(read.metadata).toEqual({ step: '7' });
    for (const [name, { shape, data }] of tensors) {
      const back = tensorOf(read.tensors, name);
      expect(back.shape).toEqual(shape);
      if (data instanceof Float32Array) expect(toFloat32(back)).toEqual(data);
      else expect(back.data).toEqual(data);
    }
    expect(Number(readFileSync(path).readBigUInt64LE(0)) % 8).toBe(0);
    expect(readdirSync(join(folder, 'sub'))).toEqual(['mixed.safetensors']);
  });

  test('a shape that does not fit and a number too large for F16 are refused, and no file appears', () => {
    const path = join(folder, 'refused.safetensors');
    const write = (tensor: TensorToStore) => () => writeSafetensors(path, new Map([['w', tensor]]));
    expect(write({ shape: [3], data: new Float32Array(2) })).toThrow('"w" has 2 values for shape [3]');
    expect(write({ shape: [1], data: Float32Array.of(70000), dtype: 'F16' })).toThrow('70000');
    expect(write({ shape: [1], data: Int32Array.of(1), dtype: 'F16' })).toThrow('integers');
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
    expect(readdirSync(folder).filter((name) => name.includes('.tmp-'))).toEqual([]);
  });

  test('BF16 and F16 round to nearest even: writing a widened value again changes nothing', () => {
    const path = join(folder, 'half.safetensors');
    for (const [dtype, widths] of [
      ['F16', 11],
      ['BF16', 8],
    ] as const) {
      fc.assert(
        fc.property(fc.array(fc.float({ min: -60000, max: 60000, noNaN: true }), { maxLength: 50 }), (values) => {
          const data = Float32Array.from(values);
          writeSafetensors(path, new Map([['w', { shape: [data.length], data, dtype }]]));
          const once = toFloat32(tensorOf(readSafetensors(path).tensors, 'w'));
          once.forEach((value, i) => {
            const exact = data[i] as number;
            const bound = Math.max(Math.abs(exact) * 2 ** -widths, dtype === 'F16' ? 2 ** -25 : 2 ** -134);
            expect(Math.abs(value - exact)).toBeLessThanOrEqual(bound);
          });
          writeSafetensors(path, new Map([['w', { shape: [once.length], data: once, dtype }]]));
          expect(toFloat32(tensorOf(readSafetensors(path).tensors, 'w'))).toEqual(once);
        }),
        { seed: 1, numRuns: 60 },
      );
    }
  });

  test('toFloat32 refuses integers that float32 cannot hold', () => {
    const big: StoredTensor = { dtype: 'I64', shape: [1], data: BigInt64Array.of(16777217n) };
    expect(() => toFloat32(big, 'ids')).toThrow('"ids" (I64): element 0 is 16777217');
    expect(toFloat32({ dtype: 'BOOL', shape: [2], data: Uint8Array.of(1, 0) })).toEqual(Float32Array.of(1, 0));
  });
});

describe('hostile files', () => {
  const f32 = (begin: number, end: number, shape: unknown = [(end - begin) / 4]): unknown => ({
    dtype: 'F32',
    shape,
    data_offsets: [begin, end],
  });
  const cases: readonly [string, () => string, string][] = [
    ['a header longer than the file', () => made({}, 0, 1000), 'claims 1000 bytes'],
    ['a header of 2^60 bytes', () => made({}, 0, 2 ** 60), 'at most 100000000'],
    ['a header that is not JSON', () => made('{"a":', 0), 'not JSON'],
    ['a header that is a list', () => made('[]', 0), 'not a JSON object'],
    ['deep nesting', () => made('['.repeat(200000), 0), 'not JSON'],
    ['overlapping tensors', () => made({ a: f32(0, 8), b: f32(4, 12) }, 12), '"b" overlaps'],
    ['a gap', () => made({ a: f32(0, 4), b: f32(8, 12) }, 12), 'gap of 4 bytes before tensor "b"'],
    ['bytes after the end', () => made({ a: f32(0, 4) }, 6), '2 bytes after the last tensor'],
    ['offsets beyond the end', () => made({ a: f32(0, 400) }, 4), 'cut off or damaged'],
    ['offsets in reverse', () => made({ a: f32(4, 0, [1]) }, 4), 'lies at bytes 4 to 0'],
    ['a size unlike the shape', () => made({ a: f32(0, 8, [3]) }, 8), 'needs 12 bytes but has 8'],
    ['a huge shape', () => made({ a: f32(0, 8, [2 ** 40, 2 ** 40]) }, 8), 'too many elements'],
    ['a negative size', () => made({ a: f32(0, 8, [-1, -2]) }, 8), 'whole numbers'],
    ['a fractional size', () => made({ a: f32(0, 8, [0.5, 4]) }, 8), 'whole numbers'],
    ['an unknown dtype', () => made({ a: { dtype: 'constructor', shape: [], data_offsets: [0, 4] } }, 4), 'dtype'],
    ['an unknown key', () => made({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4], x: 1 } }, 4), '"x"'],
    [
      'a name twice',
      () => made(`{"a":${JSON.stringify(f32(0, 4))},"\\u0061" :${JSON.stringify(f32(0, 4))}}`, 4),
      'twice',
    ],
    ['__proto__ as a name', () => made(`{"__proto__":${JSON.stringify(f32(0, 4))}}`, 4), 'forbidden name'],
    ['prototype inside a name', () => made({ 'a.constructor.prototype': f32(0, 4) }, 4), 'forbidden name'],
    ['metadata that is not text', () => made({ __metadata__: { a: 1 } }, 0), '"a" is not a string'],
    ['a BOOL of 2', () => made({ a: { dtype: 'BOOL', shape: [3], data_offsets: [0, 3] } }, 3), 'element 2 is 2'],
    ['a folder', () => folder, 'not a file'],
    ['nothing there', () => join(folder, 'absent'), 'no such file'],
  ];
  test.each(cases)('%s', (_, make, message) => {
    const path = make();
    const read = (): unknown => readSafetensors(path);
    expect(read).toThrow(UserError);
    expect(read).toThrow(message);
    expect(read).toThrow(path);
  });

  test('a file cut off anywhere or with any bit flipped is read within its size or refused with a UserError', () => {
    const path = join(folder, 'fuzz.safetensors');
    const data = Float32Array.from({ length: 12 }, (_, i) => i);
    writeSafetensors(
      path,
      new Map([
        ['a.b', { shape: [3, 4], data }],
        ['c', { shape: [12], data, dtype: 'BF16' }],
      ]),
      { k: 'v' },
    );
    const whole = readFileSync(path);
    const check = (bytes: Uint8Array): void => {
      writeFileSync(path, bytes);
      try {
        let total = 0;
        for (const tensor of readSafetensors(path).tensors.values()) total += tensor.data.byteLength;
        expect(total).toBeLessThanOrEqual(bytes.length);
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
      }
    };
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length));
      expect(() => readSafetensors(path)).toThrow(UserError);
    }
    fc.assert(
      fc.property(fc.array(fc.nat(whole.length * 8 - 1), { minLength: 1, maxLength: 4 }), (bits) => {
        const bytes = Uint8Array.from(whole);
        for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
        check(bytes);
      }),
      { seed: 2, numRuns: 1500 },
    );
  });

  test('any JSON as header is read within the size of the file or refused with a UserError', () => {
    const entry = fc.record(
      {
        dtype: fc.constantFrom('F32', 'BF16', 'I64', 'BOOL', 'F8', 3),
        shape: fc.oneof(fc.array(fc.integer({ min: -1, max: 5 }), { maxLength: 3 }), fc.jsonValue()),
        data_offsets: fc.oneof(fc.tuple(fc.nat(40), fc.nat(40)), fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
    const header = fc.oneof(fc.jsonValue(), fc.dictionary(fc.string(), fc.oneof(entry, fc.jsonValue())));
    fc.assert(
      fc.property(header, fc.nat(40), (json, dataLength) => {
        const path = made(json, dataLength);
        try {
          let total = 0;
          for (const tensor of readSafetensors(path).tensors.values()) total += tensor.data.byteLength;
          expect(total).toBeLessThanOrEqual(dataLength);
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
      { seed: 3, numRuns: 1000 },
    );
  });
});
