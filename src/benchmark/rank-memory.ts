/** Memory of each of several processes that train together: all but Adam's moments, of which it has its share (ZeRO-2). */
import { BUCKET_SIZE } from '../training/distributed/partition.js';
import { FLOAT_BYTES, type MemoryPlan, packedTensors, type PlannedEngine, processBytes } from './memory-plan.js';

export interface RankEngine {
  readonly engine: PlannedEngine;
  /** Everything that is computed on the way, and the batch itself. */
  readonly activations: number;
  /** All tensors, at the moment when most are there: on a GPU, what lies on the card. */
  readonly tensors: number;
  /** Bytes of the process in main memory. */
  readonly process: number;
}

/** Bytes of one of `ranks` processes. */
export interface RankMemory {
  readonly ranks: number;
  readonly weights: number;
  readonly gradients: number;
  /** This rank's share of AdamW's two moments. */
  readonly optimizer: number;
  /** In main memory: two buckets on their way, and the rank's share of the summed gradients. */
  readonly exchange: number;
  readonly engines: readonly RankEngine[];
}

export function rankMemory(plan: MemoryPlan, ranks: number): RankMemory {
  const { weights, packedWeights, gradients, trainable, keptFeatures } = plan;
  const optimizer = Math.ceil(plan.optimizer / ranks);
  const buckets = 2 * Math.min(BUCKET_SIZE, trainable);
  const exchange = ranks === 1 ? 0 : Math.ceil(FLOAT_BYTES * (buckets + trainable / ranks));
  const engines = plan.engines.map(({ engine, training }) => {
    const tensors = training.tensors - plan.optimizer + optimizer;
    const weightTensors = weights - packedWeights + packedTensors(engine, packedWeights);
    const activations = Math.max(0, tensors - weightTensors - gradients - optimizer);
    const process = processBytes(engine, tensors, plan) + keptFeatures + exchange;
    return { engine, activations, tensors, process };
  });
  return { ranks, weights, gradients, optimizer, exchange, engines };
}
