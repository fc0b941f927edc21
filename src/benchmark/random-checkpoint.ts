/**
 * Random weights of a real size in the published formats: LLaVA's folder, CLIP's folder, SAM's .pth and GSVA's .bin, as
 * large and as named as the released ones, to try with what cannot be downloaded.
 */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type ModelConfig } from '../systems/shared/model-config.js';
import { startDryRun } from '../engine/dry-run.js';
import { UserError } from '../errors.js';
import type { FileTensor, FileTensors, TensorData } from '../io/file-tensor.js';
import { writeJson } from '../io/json/json-file.js';
import { type TensorOutput, named } from '../io/tensor-output.js';
import { writeShardedTorch, writeTorchCheckpoint } from '../io/torch/torch-writer.js';
import { TOKENIZER_FILES } from '../checkpoints/checkpoint-directory.js';
import { LlavaSam } from '../systems/shared/llava-sam.js';
import {
  clipConfigJson,
  clipPreprocessorJson,
  llavaConfigJson,
  publishedTensors,
} from '../systems/shared/published/files.js';
import type { PublishedPaths } from '../systems/shared/published/model.js';
import { storedShape } from '../checkpoints/weights.js';

/** LLaVA's shards. */
const SHARD_BYTES = 9.9e9;

/**
 * @param dir a folder that exists
 * @param tokenizerDir whose tokenizer's files are copied; its tokens are the first rows of the embedding
 * @param onTensor called with each tensor when it is made
 */
export async function writeRandomCheckpoint(
  dir: string,
  config: ModelConfig,
  tokenizerDir: string,
  onTensor: (name: string) => void = () => undefined,
): Promise<PublishedPaths & { readonly sam: string; readonly weights: string }> {
  if (!existsSync(dir)) throw new UserError(`Writing random weights: there is no folder ${dir}.`);
  const tensors = await randomTensors(config, onTensor);
  const paths = {
    mllm: join(dir, 'llava'),
    visionTower: join(dir, 'clip'),
    sam: join(dir, 'sam.pth'),
    weights: join(dir, 'gsva.bin'),
  };
  mkdirSync(paths.mllm);
  writeJson(join(paths.mllm, 'config.json'), llavaConfigJson(config));
  for (const name of TOKENIZER_FILES) {
    if (existsSync(join(tokenizerDir, name))) copyFileSync(join(tokenizerDir, name), join(paths.mllm, name));
  }
  writeShardedTorch(paths.mllm, halves(publishedTensors('mllm', tensors)), { shardBytes: SHARD_BYTES });
  mkdirSync(paths.visionTower);
  writeJson(join(paths.visionTower, 'config.json'), clipConfigJson(config.clip));
  writeJson(join(paths.visionTower, 'preprocessor_config.json'), clipPreprocessorJson(config.clip));
  writeShardedTorch(paths.visionTower, publishedTensors('vision tower', tensors));
  writeTorchCheckpoint(paths.sam, publishedTensors('sam', tensors));
  writeTorchCheckpoint(paths.weights, halves(publishedTensors('weights', tensors)));
  return paths;
}

/** Every weight of a model of these sizes, made when it is read. */
async function randomTensors(config: ModelConfig, onTensor: (name: string) => void): Promise<FileTensors> {
  await startDryRun('fused');
  const gsva = new LlavaSam(config);
  gsva.build();
  const tensors = new Map<string, FileTensor>();
  let seed = 1;
  for (const [name, { variable, layout }] of gsva.namedParameters()) {
    const shape = storedShape(variable.shape as number[], layout);
    const own = seed++;
    const read = (): TensorData => {
      onTensor(name);
      return randomFloats(name, shape, own);
    };
    tensors.set(name, { dtype: 'F32', shape, read });
  }
  gsva.dispose();
  return tensors;
}

/** LLaVA and GSVA are published in 16 bits, CLIP and SAM in 32. The numbers are bfloat16's already: their upper halves. */
function halves(tensors: readonly TensorOutput[]): TensorOutput[] {
  return tensors.map(({ name, shape, read }) => {
    const upperHalves = (): Uint16Array => {
      const words = new Uint16Array((read() as Float32Array).buffer);
      const out = new Uint16Array(words.length / 2);
      for (let i = 0; i < out.length; i++) out[i] = words[2 * i + 1] as number;
      return out;
    };
    return named(name, { dtype: 'BF16', shape, read: upperHalves });
  });
}

/** Scales of norms are 1, biases 0, everything else of size 1/√inputs; every number is one of bfloat16's. */
function randomFloats(name: string, shape: readonly number[], seed: number): Float32Array {
  const size = shape.reduce((product, length) => product * length, 1);
  const numbers = new Float32Array(size);
  if (/norm[^.]*\.weight$|layernorm\.weight$|neck\.[13]\.weight$/.test(name)) return numbers.fill(1);
  if (name.endsWith('.bias')) return numbers;
  const inputs = shape.length < 2 ? 1024 : size / (shape[0] ?? 1);
  const exponent = 126 - Math.round(Math.log2(Math.sqrt(inputs)));
  const bits = new Uint32Array(numbers.buffer);
  let state = (seed * 2654435761) >>> 0 || 1;
  for (let i = 0; i < size; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    // Sign, exponent or the one below, seven bits of the mantissa.
    bits[i] = (state & 0x80000000) | ((exponent - ((state >>> 8) & 1)) << 23) | (state & 0x007f0000);
  }
  return numbers;
}
