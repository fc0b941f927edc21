/**
 * How much memory a model needs, before anything of it is loaded.
 *
 * Training and inference are run once on an engine that computes nothing (`engine/dry-run.ts`) but through the same code,
 * so the bytes in tensors are not estimated: they are counted. What a process takes beside them was measured per engine
 * and is added (docs/plan.md).
 */
import { type DryRunKind, type PeakCounter, startDryRun } from '../engine/dry-run.js';
import type { EngineName } from '../engine/engine.js';
import * as tf from '../engine/tf.js';
import { LlavaSam } from '../systems/shared/llava-sam.js';
import { packedBytes } from '../checkpoints/precision.js';
import { Random } from '../random.js';
import { baseTask } from '../training/config/build-experiment.js';
import { startVocabulary } from '../training/config/start-vocabulary.js';
import { holdFrozenWeights } from '../training/config/frozen-weights.js';
import { MOST_FEATURE_BYTES } from '../features/feature-store.js';
import type { Stage } from '../training/trainable.js';
import { trainableVariables } from '../training/trainable.js';
import { BenchParts } from './bench-parts.js';
import type { PlanSource } from './plan-source.js';
import { systemNamed } from '../systems/index.js';
import type { System } from '../systems/system.js';

/** Parameters of one part of the model. */
export interface PartSize {
  readonly part: string;
  readonly parameters: number;
  readonly trainable: number;
}

/** Bytes at the moment when most are in use. */
export interface PeakBytes {
  /**
   * In tensors: weights, gradients, moments and everything that is computed on the way. Matrices in 16 bits are among
   * them on `tensorflow` only; other engines have them in JavaScript's arrays.
   */
  readonly tensors: number;
  /** Of the whole process (on a GPU: beside what lies on the card), as a measured rule. */
  readonly process: number;
}

/** The slow engine for comparing is not planned for. */
export type PlannedEngine = Exclude<EngineName, 'cpu'>;

export interface EnginePlan {
  readonly engine: PlannedEngine;
  readonly training: PeakBytes;
  readonly inference: PeakBytes;
}

export interface MemoryPlan {
  readonly parts: readonly PartSize[];
  readonly parameters: number;
  readonly trainable: number;
  /** Bytes, the same on every engine. */
  readonly weights: number;
  /** Of the weights: frozen matrices in 16 bits. */
  readonly packedWeights: number;
  readonly gradients: number;
  /** AdamW's two moments. */
  readonly optimizer: number;
  /** Of both frozen encoders for one image, which GSVA's training keeps for the images that it has seen. */
  readonly featuresPerImage: number;
  /** Most of them that are kept, of all images. */
  readonly keptFeatures: number;
  readonly engines: readonly EnginePlan[];
}

const FLOAT_BYTES = 4;

const MEBIBYTE = 2 ** 20;
/**
 * Bytes of a process by bytes in tensors and in those of them that are weights, matrices in 16 bits and kept features left
 * out: measured on bench-small and two larger sizes, Linux, Node 20 (docs/plan.md).
 */
const PROCESS: Readonly<Record<PlannedEngine, (tensors: number, weights: number) => number>> = {
  // The library and its threads' work space; what is computed leaves holes, the weights none.
  tensorflow: (tensors, weights) => 500 * MEBIBYTE + weights + 1.36 * (tensors - weights),
  // Tensors lie on the card.
  webgpu: (_, weights) => 300 * MEBIBYTE + weights,
  // WASM's heap never shrinks: tensors of many sizes leave a quarter of it in holes.
  openblas: (tensors) => 95 * MEBIBYTE + 1.26 * tensors,
  wasm: (tensors) => 85 * MEBIBYTE + 1.26 * tensors,
};
export const PLANNED_KINDS: Readonly<Record<PlannedEngine, DryRunKind>> = {
  tensorflow: 'formulas',
  webgpu: 'formulas',
  openblas: 'fused',
  wasm: 'fused',
};

/** Matrices in 16 bits that are among an engine's tensors; elsewhere they lie beside them. */
export function packedTensors(engine: PlannedEngine, packedWeights: number): number {
  return engine === 'tensorflow' ? packedWeights : 0;
}

/** Bytes of a process whose tensors, weights among them, take so many at most; kept features left out. */
export function processBytes(
  engine: PlannedEngine,
  tensors: number,
  { weights, packedWeights }: Pick<MemoryPlan, 'weights' | 'packedWeights'>,
): number {
  const others = PROCESS[engine](tensors - packedTensors(engine, packedWeights), weights - packedWeights);
  return Math.round(others + packedWeights);
}

/** Changes TensorFlow.js's backend: nothing can be computed afterwards until an engine is started again. */
export async function planMemory(source: PlanSource): Promise<MemoryPlan> {
  const peaks = { fused: await dryRun('fused', source), formulas: await dryRun('formulas', source) };
  const { parts, featuresPerImage, packedWeights } = peaks.fused;
  const parameters = parts.reduce((sum, part) => sum + part.parameters, 0);
  const trainable = parts.reduce((sum, part) => sum + part.trainable, 0);
  // What is packed takes half of what it took.
  const weights = FLOAT_BYTES * parameters - packedWeights;
  const keptFeatures = keepsFeatures(source) ? MOST_FEATURE_BYTES : 0;
  const engines = (Object.keys(PROCESS) as PlannedEngine[]).map((engine) => {
    const { training, inference } = peaks[PLANNED_KINDS[engine]];
    const peak = (others: number, beside: number): PeakBytes => {
      const tensors = others + packedTensors(engine, packedWeights);
      return { tensors, process: processBytes(engine, tensors, { weights, packedWeights }) + beside };
    };
    return { engine, training: peak(training, keptFeatures), inference: peak(inference, 0) };
  });
  return {
    parts,
    parameters,
    trainable,
    weights,
    packedWeights,
    gradients: FLOAT_BYTES * trainable * (source.accumulation > 1 ? 2 : 1), // this micro-batch's, and the sum
    optimizer: 2 * FLOAT_BYTES * trainable,
    featuresPerImage,
    keptFeatures,
    engines,
  };
}

/** GSVA's training on images; a benchmark repeats one batch, and the base's stages train their encoders. */
function keepsFeatures({ kind, experiment }: PlanSource): boolean {
  return kind !== 'benchmark' && experiment?.data.kind !== 'scenes';
}

interface DryRun {
  readonly parts: readonly PartSize[];
  readonly featuresPerImage: number;
  readonly packedWeights: number;
  /** Most bytes in tensors. */
  readonly training: number;
  readonly inference: number;
}

async function dryRun(kind: DryRunKind, source: PlanSource): Promise<DryRun> {
  const peakOf = await startDryRun(kind);
  const { model, workload, stage, frozenWeights } = source;
  const system = await systemNamed(model.system, 'Planning memory');
  const gsva = new LlavaSam(model);
  holdFrozenWeights(gsva, stage, frozenWeights);
  gsva.build();
  const bench = new BenchParts({ description: '', model, workload }, system, gsva);
  try {
    const parts = partSizes(gsva, stage);
    // Before there is an optimizer.
    const inference = Math.max(await peakOf(bench.work('evaluated image')), await peakOf(bench.work('generate')));
    const trainable = parts.reduce((sum, part) => sum + part.trainable, 0);
    const sums = source.accumulation > 1 ? FLOAT_BYTES * trainable : 0;
    const training = (await trainingPeak(kind, peakOf, system, gsva, bench, source)) + sums;
    return { parts, featuresPerImage: bench.featureBytes, packedWeights: packedBytes(gsva), training, inference };
  } finally {
    bench.dispose();
  }
}

async function trainingPeak(
  kind: DryRunKind,
  peakOf: PeakCounter,
  system: System,
  gsva: LlavaSam,
  bench: BenchParts,
  source: PlanSource,
): Promise<number> {
  const { experiment, stage } = source;
  const moments =
    2 * FLOAT_BYTES * [...trainableVariables(gsva, stage).values()].reduce((sum, { size }) => sum + size, 0);
  if (experiment?.data.kind !== 'scenes') {
    // Engines with kernels of their own update in place; the others hold one variable's temporaries.
    if (kind === 'formulas') return peakOf(bench.work('training step'));
    return moments + (await peakOf(() => bench.forwardBackward(true)));
  }
  // A stage of the base: its own task on its own scenes.
  const { tokenizer } = startVocabulary(system, experiment);
  const meta = { conversation: experiment.conversation, stage, description: '' };
  const task = baseTask({ system, config: experiment, network: gsva, tokenizer, meta, rounded: [] }, experiment.data);
  const stream = task.samples(new Random(1), () => undefined);
  const samples = await Promise.all(
    Array.from({ length: source.workload.batch }, (_, position) => stream.at(position)),
  );
  const step = async (): Promise<void> => {
    const { gradients } = await task.forwardBackward(samples, new Random(1));
    tf.dispose([...gradients.values()]);
  };
  return moments + (await peakOf(step));
}

function partSizes(gsva: LlavaSam, stage: Stage): PartSize[] {
  const trained = trainableVariables(gsva, stage);
  const sizes = new Map(gsva.parts.map(({ symbol }) => [symbol, { parameters: 0, trainable: 0 }]));
  const shapes = [
    ...[...gsva.namedParameters()].map(([name, { variable }]) => [name, variable.shape as number[]] as const),
    ...[...gsva.packedParameters()].map(([name, { rows, columns }]) => [name, [rows, columns]] as const),
  ];
  for (const [name, shape] of shapes) {
    const sum = sizes.get(gsva.parts.find(({ pattern }) => pattern.test(name))?.symbol ?? name);
    if (sum === undefined) throw new Error(`planMemory: "${name}" belongs to no part`);
    const size = tf.util.sizeFromShape([...shape]);
    sum.parameters += size;
    if (trained.has(name)) sum.trainable += size;
  }
  return [...sizes].map(([part, size]) => ({ part, ...size }));
}
