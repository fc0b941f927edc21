/**
 * Checkpoints of torch.save before PyTorch 1.6: five pickles (a magic number, the protocol 1001, facts of the machine,
 * the object, the list of the storages' keys), then per key the number of elements (int64) and the raw numbers.
 */
import { type ByteSource, readPart } from '../byte-source.js';
import { type PickleValue, unpickle } from './pickle.js';
import { harmlessGlobal } from './pickle-harmless.js';
import { TORCH_GLOBALS, type TorchStorage, storageLoader } from './torch-tensors.js';
import type { Fail } from '../safetensors/safetensors-header.js';

export const LARGEST_PICKLE = 64 * 2 ** 20;

const MAGIC = Buffer.from('6cfc9c46f9206aa85019', 'hex');
const PROTOCOL = 1001;
/** The magic number lies within the first bytes, whatever the pickle's protocol. */
const MAGIC_WITHIN = 32;

export function isLegacyCheckpoint(head: Buffer): boolean {
  return head[0] === 0x80 && head.subarray(0, MAGIC_WITHIN).includes(MAGIC);
}

/** The pickled object, and the position of each of its storages. */
export function readLegacyCheckpoint(
  source: ByteSource,
  name: string,
  fail: Fail,
): { value: PickleValue; positions: Map<string, number> } {
  const bytes = readPart(source, 0, Math.min(source.size, LARGEST_PICKLE));
  const storages = new Map<string, TorchStorage>();
  let start = 0;
  const next = (): PickleValue => {
    const persistentLoad = storageLoader(storages);
    const options = { source: name, globals: TORCH_GLOBALS, unlisted: harmlessGlobal, persistentLoad, start };
    const { value, end } = unpickle(bytes, options);
    start = end;
    return value;
  };
  next();
  const protocol = next();
  if (protocol !== PROTOCOL) fail(`its protocol is not ${PROTOCOL}; it is damaged`);
  const machine = next();
  if (machine instanceof Map && machine.get('little_endian') !== true) {
    fail('its numbers are big-endian; save it again on a little-endian machine');
  }
  const value = next();
  const positions = locate(source, next(), start, storages, fail);
  return { value, positions };
}

function locate(
  source: ByteSource,
  keys: PickleValue,
  start: number,
  storages: ReadonlyMap<string, TorchStorage>,
  fail: Fail,
): Map<string, number> {
  if (!Array.isArray(keys)) return fail('the keys of its storages are not a list; it is damaged');
  const positions = new Map<string, number>();
  let at = start;
  for (const key of keys) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (storage === undefined) return fail('it has a storage that nothing refers to; it is damaged');
    if (positions.has(storage.key)) fail('it has a storage twice; it is damaged');
    if (at + 8 + storage.length > source.size) {
      fail(
        `a storage of ${storage.length} bytes at ${at + 8} reaches beyond its end; it is cut off: download it again`,
      );
    }
    // In elements; a storage of no type counts bytes.
    const count = Number(readPart(source, at, 8).readBigInt64LE(0));
    const width = storage.length / count;
    if (count < 0 || (storage.length > 0 ? ![1, 2, 4, 8, 16].includes(width) : count !== 0)) {
      fail(`a storage of ${storage.length} bytes has ${count} elements; it is damaged`);
    }
    positions.set(storage.key, at + 8);
    at += 8 + storage.length;
  }
  const missing = [...storages.keys()].find((key) => !positions.has(key));
  if (missing !== undefined) fail(`the storage ${JSON.stringify(missing.slice(0, 60))} is missing; it is damaged`);
  return positions;
}
