/**
 * Checkpoints of torch.save: recorded files of PyTorch 1.13 and 2 are read to the bit, whatever the form, the type and
 * the strides; hostile and foreign files give one clear error, and are not executed.
 */
import { appendFileSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { UserError } from '../../../src/errors.js';
import { memoryOpener } from '../../helpers/memory-opener.js';
import type { FileTensor, FileTensors } from '../../../src/io/file-tensor.js';
import { float32ToBfloat16, float32ToHalf } from '../../../src/half-float.js';
import { openSafetensors } from '../../../src/io/safetensors/safetensors.js';
import { openTorchCheckpoint } from '../../../src/io/torch/torch-checkpoint.js';
import { fixture } from '../../helpers/fixtures.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-torch-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const checkpoint = (...parts: string[]): FileTensors =>
  openTorchCheckpoint(fixture('checkpoints-tiny', ...parts)).tensors;

function tensorOf(tensors: FileTensors, name: string): FileTensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new Error(`no ${name}`);
  return tensor;
}

/** A file of these bytes. */
function made(bytes: Uint8Array | string): string {
  const path = join(folder, 'made.bin');
  writeFileSync(path, bytes);
  return path;
}

describe('the recorded model, as its parts are published', () => {
  const model = openSafetensors(fixture('gsva-tiny', 'model.safetensors')).tensors;
  const PREFIX = 'base_model.model.';
  const data = (name: string): Float32Array => tensorOf(model, name).read() as Float32Array;

  /** Every tensor of a file that the model has under `rename`d names is equal to it; returns how many. */
  function compare(tensors: FileTensors, rename: (name: string) => string): number {
    let compared = 0;
    for (const [name, tensor] of tensors) {
      const known = model.get(rename(name));
      if (known?.shape.join() !== tensor.shape.join()) continue;
      expect(tensor.dtype).toBe('F32');
      expect([name, tensor.read()]).toEqual([name, known.read()]);
      compared++;
    }
    return compared;
  }

  test('llava: two shards', () => {
    const count = ['00001', '00002'].map((shard) =>
      compare(checkpoint('llava', `pytorch_model-${shard}-of-00002.bin`), (name) => `${PREFIX}${name}`),
    );
    // The vocabulary has grown by four since, so that embeddings and head have other shapes.
    expect(count.every((compared) => compared >= 14)).toBe(true);
  });

  test('clip: half precision, with a view of every other column', () => {
    const tensors = checkpoint('clip', 'pytorch_model.bin');
    let compared = 0;
    for (const [name, tensor] of tensors) {
      const known = model.get(`${PREFIX}model.vision_tower.vision_tower.${name}`);
      if (known === undefined || tensor.dtype !== 'F16') continue;
      expect([name, tensor.read()]).toEqual([name, float32ToHalf(known.read() as Float32Array)]);
      compared++;
    }
    expect(compared).toBeGreaterThan(30);
    const strided = tensorOf(tensors, 'text_projection.weight');
    expect(strided.shape).toEqual([32, 16]);
    expect(strided.read().length).toBe(512);
  });

  test('sam', () => {
    const tensors = checkpoint('sam_vit_tiny.pth');
    const encoder = [...tensors].filter(([name]) => name.startsWith('image_encoder.'));
    expect(compare(new Map(encoder), (name) => `${PREFIX}model.visual_model.${name}`)).toBe(encoder.length);
  });

  test('gsva: two-dimensional tensors are stored transposed', () => {
    const tensors = checkpoint('gsva-tiny-ft-gres.bin');
    expect(compare(tensors, (name) => name)).toBe(tensors.size);
    expect(tensors.size).toBe(138);
  });

  test('gsva in bfloat16, exact', () => {
    const tensors = checkpoint('gsva-tiny-bf16.bin');
    for (const [name, tensor] of tensors) {
      expect(tensor.dtype).toBe('BF16');
      expect([name, tensor.read()]).toEqual([name, float32ToBfloat16(data(name))]);
    }
    expect(tensors.size).toBe(138);
  });
});

interface Recorded {
  readonly wrapper: string | null;
  readonly others: string[];
  readonly tensors: Record<string, { dtype: string; shape: number[]; values: string[] }>;
}

const recorded = [1, 2].flatMap((version) => {
  const json = readFileSync(fixture('pickles', `expected-torch${version}.json`), 'utf8');
  return Object.entries(JSON.parse(json) as Record<string, Recorded>);
});

describe('what PyTorch 1.13 and 2 write', () => {
  test.each(recorded)('%s', (file, expected) => {
    const { tensors, others, wrapper } = openTorchCheckpoint(fixture('pickles', file));
    expect(wrapper).toBe(expected.wrapper);
    expect([...others.keys()].sort()).toEqual(expected.others);
    expect([...tensors.keys()]).toEqual(Object.keys(expected.tensors));
    for (const [name, { dtype, shape, values }] of Object.entries(expected.tensors)) {
      const tensor = tensorOf(tensors, name);
      expect([name, tensor.dtype, tensor.shape]).toEqual([name, dtype, shape]);
      const is64 = dtype === 'I64' || dtype === 'U64';
      const numbers = values.map((text) => (is64 ? BigInt(text) : Number(text.replace('inf', 'Infinity'))));
      expect([name, [...(tensor.read() as Iterable<number | bigint>)]]).toEqual([name, numbers]);
    }
  });

  test('what is not a tensor is kept as plain values', () => {
    const { others } = openTorchCheckpoint(fixture('pickles', 'wrapped-torch2.pt'));
    expect(others.get('epoch')).toBe(3);
    expect(others.get('size')).toEqual({ items: [2, 3] });
    expect(others.get('optimizer')).toBeInstanceOf(Map);
  });

  test('a file that changes after it was opened is not read', () => {
    const path = join(folder, 'changing.pt');
    copyFileSync(fixture('pickles', 'state-dict-torch2.pt'), path);
    const tensor = tensorOf(openTorchCheckpoint(path).tensors, '0.weight');
    expect(tensor.read().length).toBe(6);
    appendFileSync(path, 'x');
    expect(() => tensor.read()).toThrow(/changing\.pt as a PyTorch checkpoint: it has \d+ bytes now, \d+ when/);
  });
});

describe('what is refused', () => {
  const open = (file: string) => () => openTorchCheckpoint(fixture('pickles', file));

  test('a file that would run a command; the command is not run', () => {
    expect(open('harmful.pt')).toThrow('refuses posix.system: only tensors and plain containers are read');
    expect(existsSync('/tmp/harmed')).toBe(false);
  });

  test('whole modules, TorchScript, expanded views: with what to save instead', () => {
    expect(open('module.pt')).toThrow(
      'holds an object of torch.nn.modules.linear.Linear, expected a dict of tensors (state_dict); load it in Python',
    );
    expect(open('script.pt')).toThrow('a TorchScript program; load it with torch.jit.load');
    expect(open('expanded.pt')).toThrow(
      '1000 elements in a storage of 1: an expanded view; save it with .contiguous()',
    );
  });

  const tar = Buffer.alloc(1024);
  tar.write('sys_info', 0);
  tar.write('ustar', 257);
  test.each<[string, string | Uint8Array, string]>([
    ['nothing', '', 'it is empty; download it again'],
    ['a git-LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:00\n', 'git lfs pull'],
    ['a web page', '\n<!DOCTYPE html><html>', 'it is a web page (HTML)'],
    ['an error in JSON', '{"error": "not found"}', 'it is a JSON text'],
    ['the tar form', tar, 'PyTorch 0.1 wrote checkpoints so: load it with torch.load in Python and save it again'],
    ['a safetensors file', readFileSync(fixture('gsva-tiny', 'grads.safetensors')), 'ends in .safetensors'],
    ['gzip', Uint8Array.of(0x1f, 0x8b, 8, 0), 'it is compressed; unpack it first'],
    ['a pickle', readFileSync(fixture('pickles', 'plain-2.pkl')), 'a pickle but not one of torch.save'],
    ['anything else', 'hello world', 'it begins with the bytes 68656c6c6f20776f'],
  ])('%s', (_what, bytes, message) => {
    const path = made(bytes);
    expect(() => openTorchCheckpoint(path)).toThrow(message);
    expect(() => openTorchCheckpoint(path)).toThrow(UserError);
    expect(() => openTorchCheckpoint(path)).toThrow(`Cannot read ${path} as a PyTorch checkpoint: `);
  });

  test('no file, and a folder', () => {
    expect(() => openTorchCheckpoint(join(folder, 'none.bin'))).toThrow('there is no such file');
    expect(() => openTorchCheckpoint(folder)).toThrow('it is not a file');
  });

  const zipped = readFileSync(fixture('pickles', 'state-dict-torch2.pt'));
  const legacy = readFileSync(fixture('pickles', 'state-dict-legacy-torch2.pt'));

  test('a file cut off anywhere is refused with a UserError', () => {
    for (const whole of [zipped, legacy]) {
      for (let length = 0; length < whole.length; length += 7) {
        const cut = memoryOpener(whole.subarray(0, length), 'cut');
        expect(() => openTorchCheckpoint('cut', cut)).toThrow(UserError);
      }
    }
  });

  /** A file in which the text `from` (which it has once or more) is replaced by one of the same length. */
  const replaced = (bytes: Buffer, from: string, to: string): (() => unknown) => {
    const text = bytes.toString('latin1');
    expect([text.includes(from), to.length]).toEqual([true, from.length]);
    const changed = Buffer.from(text.replaceAll(from, to), 'latin1');
    return () => openTorchCheckpoint('changed', memoryOpener(changed, 'changed'));
  };

  test('big-endian numbers, other types and storages that are missing or of another size', () => {
    expect(replaced(zipped, 'little', 'big   ')).toThrow('"big   "-endian; save it again on a little-endian machine');
    expect(replaced(legacy, 'little_endianq\x02\x88', 'little_endianq\x02\x89')).toThrow('are big-endian');
    expect(replaced(legacy, 'M\xe9\x03.', 'M\xe8\x03.')).toThrow('its protocol is not 1001');
    expect(replaced(zipped, 'FloatStorage', 'QuintStorage')).toThrow('refuses torch.QuintStorage');
    expect(replaced(zipped, 'Storage', 'Storagx')).toThrow('refuses torch.FloatStoragx');
    expect(replaced(zipped, '/data/1', '/data/9')).toThrow('its storage "1" has no bytes, expected 8');
    expect(replaced(zipped, 'data.pkl', 'data.pkx')).toThrow('0 entries data.pkl, expected one');
  });

  const MAGIC = '\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.';
  const SYSTEM = '}U\x0dlittle_endianI01\ns.';
  const VIEWED = (numel: string): string =>
    `ctorch._utils\n_rebuild_tensor\n((U\x07storagectorch\nFloatStorage\nU\x01kU\x03cpu${numel}(U\x01vK\x02K\x03ttQK\x01K\x02\x85K\x01\x85tR`;
  const older = (object: string, keys: string, count: number): (() => FileTensors) => {
    const numbers = Buffer.alloc(8 + 24);
    numbers.writeBigInt64LE(BigInt(count));
    for (let i = 0; i < 6; i++) numbers.writeFloatLE(i, 8 + 4 * i);
    const bytes = Buffer.concat([Buffer.from(MAGIC + SYSTEM + object + keys, 'latin1'), numbers]);
    return () => openTorchCheckpoint('older', memoryOpener(bytes, 'older')).tensors;
  };

  test('the older form as Python 2 wrote it, with a view of a part of a storage; and what is wrong about such', () => {
    const object = `}U\x01w${VIEWED('K\x06')}s.`;
    const KEYS = '](U\x01ke.';
    expect(tensorOf(older(object, KEYS, 6)(), 'w').read()).toEqual(Float32Array.of(3, 4));
    expect(older(object, KEYS, 5)).toThrow('a storage of 24 bytes has 5 elements');
    expect(older(object, '].', 6)).toThrow('the storage "k" is missing');
    expect(older(object, '](U\x01xe.', 6)).toThrow('a storage that nothing refers to');
    expect(older(object, '](U\x01kU\x01ke.', 6)).toThrow('it has a storage twice');
    expect(older(`}U\x01w${VIEWED('K\x04')}s.`, KEYS, 6)).toThrow('a view of a storage reaches beyond it');
    expect(older(`}U\x01w${VIEWED('J\xff\xff\xff\x7f')}s.`, KEYS, 6)).toThrow('reaches beyond its end');
    expect(older(`}U\x01w${VIEWED('K\x06')}sU\x01x${VIEWED('K\x07')}s.`, KEYS, 6)).toThrow('in two ways that differ');
    expect(older('].', '].', 0)).toThrow('it holds a list, expected a dict of tensors (state_dict)');
    expect(older(`}K\x01${VIEWED('K\x06')}s.`, KEYS, 6)).toThrow('has a number as a key, expected a text');
  });
});
