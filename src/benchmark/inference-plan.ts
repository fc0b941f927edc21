/** How much memory a question takes, by how the weights are kept, before there are any weights. */
import type { DryRunKind } from '../engine/dry-run.js';
import { packedBytes, SMALLEST_PACKED } from '../checkpoints/precision.js';
import type { ModelSizes } from '../systems/model-configs.js';
import type { GroundingModel } from '../systems/system.js';
import { USUAL_WORKLOAD } from './bench-config.js';
import {
  counted,
  FLOAT_BYTES,
  packedTensors,
  type PeakBytes,
  PLANNED_KINDS,
  type PlannedEngine,
  processBytes,
  questionPeak,
  weightSizes,
} from './memory-plan.js';

/** Precisions of `--precision`; 'auto' is one of them, or between. */
export type PlannedPrecision = 'f32' | 'packed';

/** Bytes in tensors at their peak, matrices in 16 bits left out. */
type CountedPeaks = Readonly<Record<DryRunKind, number>>;

/** Counts for a model's sizes; they hold for every machine. */
export interface InferenceCount {
  readonly parameters: number;
  readonly f32: CountedPeaks;
  readonly packed: CountedPeaks;
  /** Bytes of the matrices that 'packed' keeps in 16 bits. */
  readonly packedWeights: number;
}

/**
 * Counts what one question takes (some seconds for 7B). Changes TensorFlow.js's backend: nothing can be computed
 * afterwards until an engine is started again.
 */
export async function countInference(model: ModelSizes): Promise<InferenceCount> {
  const [fused, formulas] = [await dryRun('fused', model, Infinity), await dryRun('formulas', model, Infinity)];
  const packed = await dryRun('fused', model, SMALLEST_PACKED);
  const packedFormulas = await dryRun('formulas', model, SMALLEST_PACKED);
  return {
    parameters: fused.parameters,
    f32: { fused: fused.peak, formulas: formulas.peak },
    packed: { fused: packed.peak, formulas: packedFormulas.peak },
    packedWeights: packed.packedWeights,
  };
}

/** Peak bytes of an engine's process, and of its tensors. */
export function inferencePeak(count: InferenceCount, engine: PlannedEngine, precision: PlannedPrecision): PeakBytes {
  const packedWeights = precision === 'packed' ? count.packedWeights : 0;
  // What is packed takes half of what it took.
  const weights = FLOAT_BYTES * count.parameters - packedWeights;
  const tensors = count[precision][PLANNED_KINDS[engine]] + packedTensors(engine, packedWeights);
  return { tensors, process: processBytes(engine, tensors, { weights, packedWeights }) };
}

/** @param smallest numbers of a matrix from which on it is kept in 16 bits */
function dryRun(
  kind: DryRunKind,
  model: ModelSizes,
  smallest: number,
): Promise<Pick<InferenceCount, 'parameters' | 'packedWeights'> & { readonly peak: number }> {
  const pack = (network: GroundingModel): void => {
    network.packWeights((_, size) => size >= smallest);
  };
  return counted(kind, { model, workload: USUAL_WORKLOAD }, pack, async (bench, peakOf) => {
    const parameters = weightSizes(bench.network).reduce((sum, [, numbers]) => sum + numbers, 0);
    return { parameters, packedWeights: packedBytes(bench.network), peak: await questionPeak(bench, peakOf) };
  });
}
