/** What a benchmark works on: the sizes of a model and of its batch (JSON5, see configs/bench-small). */
import { type ModelConfig, parseModelConfig } from '../config.js';
import { readJson5 } from '../io/json/json-file.js';
import { JsonReader } from '../io/json/json-reader.js';

export interface Workload {
  readonly seed: number;
  /** Conversations of a training step. */
  readonly batch: number;
  /** Of a conversation, the image counted as one. */
  readonly textTokens: number;
  /** [SEG] of an answer. */
  readonly masks: number;
  /** Of images and masks, in pixels. */
  readonly height: number;
  readonly width: number;
  /** Written by generation. */
  readonly newTokens: number;
}

export interface BenchConfig {
  readonly description: string;
  readonly model: ModelConfig;
  readonly workload: Workload;
}

/** @throws UserError naming file and key */
export function readBenchConfig(path: string): BenchConfig {
  const root = JsonReader.of(readJson5(path, 'the benchmark'), path);
  root.onlyKeys(['description', 'model', 'workload']);
  const workload = root.key('workload');
  workload.onlyKeys(['seed', 'batch', 'textTokens', 'masks', 'height', 'width', 'newTokens']);
  const masks = workload.key('masks').integer({ min: 1, max: 64 });
  return {
    description: root.key('description').string(),
    model: parseModelConfig(root.key('model').value, `${path}: model`),
    workload: {
      seed: workload.key('seed').integer({ min: 0 }),
      batch: workload.key('batch').integer({ min: 1, max: 1024 }),
      // A question of at least four tokens, an answer of at least two for each mask.
      textTokens: workload.key('textTokens').integer({ min: 6 * masks + 4, max: 8192 }),
      masks,
      height: workload.key('height').integer({ min: 16, max: 8192 }),
      width: workload.key('width').integer({ min: 16, max: 8192 }),
      newTokens: workload.key('newTokens').integer({ min: 1, max: 4096 }),
    },
  };
}
