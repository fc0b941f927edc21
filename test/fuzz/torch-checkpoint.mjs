/**
 * Damages checkpoints by the million and reads them: a file is read or refused with a UserError, in bounded time and
 * memory, whatever is in it. Works on what has been built (npm run build):
 *
 *   node test/fuzz/torch-checkpoint.mjs --inputs 1000000 --seed 1
 *
 * `--only N` runs input N alone (its number is in the error). test/io/torch/torch-checkpoint-fuzz.test.ts runs a few inputs.
 */
import { Buffer } from 'node:buffer';
import console from 'node:console';
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { mutateBytes, mutatePickle, mutateZip, zipEntries } from './mutations.mjs';

const LONGEST_MILLISECONDS = 1000;
/** Beyond the file itself: what the reader may take for its own ends. */
const MEMORY_SLACK = 64 * 2 ** 20;
const BUFFER_SLACK = 64 * 2 ** 10;
const INPUTS_BETWEEN_MEMORY_CHECKS = 20_000;
/** One input in so many is one of the large recorded checkpoints. */
const LARGE_EVERY = 400;

function load(folder, suffix) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => suffix.test(name))
    .sort()
    .map((name) => {
      const bytes = readFileSync(join(folder, name));
      return { name, bytes, entries: bytes.readUInt32LE(0) === 0x04034b50 ? zipEntries(bytes) : null };
    });
}

/** Largest single buffer asked for, by any of the ways the reader has. */
function watchBuffers() {
  const watched = { largest: 0 };
  const { allocUnsafeSlow } = Buffer;
  const Original = globalThis.ArrayBuffer;
  Buffer.allocUnsafeSlow = (length) => {
    watched.largest = Math.max(watched.largest, length);
    return allocUnsafeSlow(length);
  };
  globalThis.ArrayBuffer = new Proxy(Original, {
    construct(target, [length], self) {
      watched.largest = Math.max(watched.largest, length);
      return Reflect.construct(target, [length], self);
    },
  });
  watched.restore = () => {
    Buffer.allocUnsafeSlow = allocUnsafeSlow;
    globalThis.ArrayBuffer = Original;
  };
  return watched;
}

function makeInput(random, small, large) {
  const chosen = random.integer(LARGE_EVERY) === 0 ? large : small;
  const file = chosen[random.integer(chosen.length)];
  const other = small[random.integer(small.length)];
  if (file.entries !== null && random.integer(2) === 0) return mutateZip(random, file.entries);
  if (file.entries === null && random.integer(2) === 0) return mutatePickle(random, file.bytes);
  return mutateBytes(random, file.bytes, other.bytes);
}

/** Bytes in memory in place of an open file. */
function sourceOf(bytes, UserError) {
  return {
    size: bytes.length,
    readInto(position, target) {
      if (position + target.length > bytes.length) throw new UserError('Cannot read input: more bytes are needed.');
      target.set(bytes.subarray(position, position + target.length));
    },
  };
}

/**
 * @param reader { openTorchCheckpoint, UserError, Random }, of dist or of src
 * @returns how many were read and refused, the slowest input, and the growth of the memory in MiB
 */
export function fuzz(reader, { inputs, seed, only = null, fixtures = resolve('test', 'fixtures') }) {
  const small = load(join(fixtures, 'pickles'), /-torch\d\.pt$/);
  const large = load(join(fixtures, 'checkpoints-tiny'), /\.(?:bin|pth)$/);
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  const memory = () => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const buffers = watchBuffers();
  const result = { inputs: 0, read: 0, refused: 0, tensors: 0, slowest: 0, growth: 0, reasons: new Map() };
  const wrong = (index, what) => {
    throw new Error(`input ${index} of seed ${seed}: ${what}`);
  };
  let baseline = null;
  const root = new reader.Random(seed);
  try {
    for (let index = only ?? 0; index < (only === null ? inputs : only + 1); index++) {
      const bytes = makeInput(root.fork(index), small, large);
      buffers.largest = 0;
      const start = performance.now();
      try {
        const { tensors } = reader.openTorchCheckpoint('input', (use) => use(sourceOf(bytes, reader.UserError)));
        for (const tensor of tensors.values()) result.tensors += tensor.read().length > 0 ? 1 : 0;
        result.read++;
      } catch (error) {
        if (!(error instanceof reader.UserError)) wrong(index, `${error.stack}`);
        result.refused++;
        const reason = error.message.replace(/"(?:[^"\\]|\\.)*"|\d+/g, '_').slice(0, 90);
        if (result.reasons.size < 1000) result.reasons.set(reason, (result.reasons.get(reason) ?? 0) + 1);
        if (only !== null) console.log(error.message);
      }
      const taken = performance.now() - start;
      result.slowest = Math.max(result.slowest, taken);
      if (taken > LONGEST_MILLISECONDS) wrong(index, `took ${taken} ms`);
      if (buffers.largest > bytes.length + BUFFER_SLACK) {
        wrong(index, `asked for ${buffers.largest} bytes at once, the file has ${bytes.length}`);
      }
      result.inputs++;
      if (index % INPUTS_BETWEEN_MEMORY_CHECKS === 1000) {
        const used = memory();
        baseline ??= used;
        result.growth = Math.max(result.growth, (used - baseline) / 2 ** 20);
        if (used - baseline > MEMORY_SLACK) wrong(index, `memory grew by ${used - baseline} bytes`);
      }
    }
  } finally {
    buffers.restore();
  }
  return result;
}

async function main() {
  const { values } = parseArgs({
    options: {
      inputs: { type: 'string', default: '100000' },
      seed: { type: 'string', default: '1' },
      only: { type: 'string' },
    },
  });
  const modules = ['dist/io/torch/torch-checkpoint.js', 'dist/errors.js', 'dist/random.js'];
  const parts = await Promise.all(modules.map((path) => import(pathToFileURL(resolve(path)).href)));
  const only = values.only === undefined ? null : Number(values.only);
  const start = performance.now();
  const result = fuzz(Object.assign({}, ...parts), { inputs: Number(values.inputs), seed: Number(values.seed), only });
  const { reasons, ...numbers } = result;
  for (const [reason, count] of [...reasons].sort((a, b) => b[1] - a[1]).slice(0, 60))
    console.log(`${count}\t${reason}`);
  console.log({ ...numbers, reasons: reasons.size, seconds: (performance.now() - start) / 1000 });
}

if (process.argv[1] !== undefined && resolve(process.argv[1]).endsWith(join('fuzz', 'torch-checkpoint.mjs')))
  void main();
