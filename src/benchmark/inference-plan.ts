/** How much memory a question takes, by how the weights are kept, before there are any weights. */
import type { ModelConfig } from '../systems/shared/model-config.js';
import { type DryRunKind, startDryRun } from '../engine/dry-run.js';
import { systemNamed } from '../systems/index.js';
import { LlavaSam } from '../systems/shared/llava-sam.js';
import { packedBytes, SMALLEST_PACKED } from '../checkpoints/precision.js';
import type { Workload } from './bench-config.js';
import { BenchParts } from './bench-parts.js';
import { packedTensors, type PeakBytes, PLANNED_KINDS, type PlannedEngine, processBytes } from './memory-plan.js';

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

/** An image of COCO's usual size, five expressions, an answer of 32 tokens. */
export const PLANNED_QUESTION: Workload = {
  seed: 1,
  batch: 1,
  textTokens: 256,
  masks: 5,
  height: 480,
  width: 640,
  newTokens: 32,
};

/**
 * Counts what one question takes (some seconds for 7B). Changes TensorFlow.js's backend: nothing can be computed
 * afterwards until an engine is started again.
 */
export async function countInference(model: ModelConfig, workload = PLANNED_QUESTION): Promise<InferenceCount> {
  const [fused, formulas] = [await dryRun('fused', model, workload), await dryRun('formulas', model, workload)];
  const packed = {
    fused: await dryRun('fused', model, workload, SMALLEST_PACKED),
    formulas: await dryRun('formulas', model, workload, SMALLEST_PACKED),
  };
  return {
    parameters: fused.parameters,
    f32: { fused: fused.peak, formulas: formulas.peak },
    packed: { fused: packed.fused.peak, formulas: packed.formulas.peak },
    packedWeights: packed.fused.packedWeights,
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

const FLOAT_BYTES = 4;

interface DryRun {
  readonly parameters: number;
  readonly packedWeights: number;
  readonly peak: number;
}

/** @param smallest numbers of a matrix from which on it is kept in 16 bits */
async function dryRun(kind: DryRunKind, model: ModelConfig, workload: Workload, smallest = Infinity): Promise<DryRun> {
  const peakOf = await startDryRun(kind);
  const system = await systemNamed(model.system, 'Planning memory');
  const gsva = new LlavaSam(model);
  gsva.packWeights((_, size) => size >= smallest);
  gsva.build();
  const bench = new BenchParts({ description: '', model, workload }, system, gsva);
  try {
    const peak = Math.max(await peakOf(bench.work('evaluated image')), await peakOf(bench.work('generate')));
    const shapes = [
      ...[...gsva.namedParameters().values()].map(({ variable }) => variable.shape as number[]),
      ...[...gsva.packedParameters().values()].map(({ rows, columns }) => [rows, columns]),
    ];
    const parameters = shapes.reduce((sum, shape) => sum + shape.reduce((product, size) => product * size, 1), 0);
    return { parameters, packedWeights: packedBytes(gsva), peak };
  } finally {
    bench.dispose();
  }
}
