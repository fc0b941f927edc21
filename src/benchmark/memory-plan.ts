/**
 * How much memory a model needs, before anything of it is loaded.
 *
 * Training and inference are run once on an engine that computes nothing (`engine/dry-run.ts`) but through the same code,
 * so the bytes in tensors are not estimated: they are counted. What a process takes in addition was measured per engine
 * and is added (docs/plan.md).
 */
import { countFlops, type DryRunKind, type PeakCounter, startDryRun } from '../engine/dry-run.js';
import type { EngineName } from '../engine/engine.js';
import * as tf from '../engine/tf.js';
import { packedBytes } from '../checkpoints/precision.js';
import { Random } from '../random.js';
import { holdFrozenWeights } from '../training/config/frozen-weights.js';
import { baseTask } from '../training/config/build-experiment.js';
import { startVocabulary } from '../training/config/experiment-data.js';
import { MOST_FEATURE_BYTES } from '../features/feature-store.js';
import { type Stage, trainableVariables, trainsIn, trainsOnSets } from '../training/trainable.js';
import type { Workload } from './bench-config.js';
import { ModelWork } from './model-work.js';
import type { PlanSource } from './plan-source.js';
import { systemNamed } from '../systems/index.js';
import type { ModelSizes } from '../systems/model-configs.js';
import type { GroundingModel } from '../systems/system.js';

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
  /** Bytes of the whole process (on a GPU: without the card's), by a measured rule. */
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
  /** Frozen matrices in 16 bits, a part of the weights. */
  readonly packedWeights: number;
  readonly gradients: number;
  /** AdamW's two moments. */
  readonly optimizer: number;
  /** Features of both frozen encoders for one image, which GSVA's training keeps for the images that it has seen. */
  readonly featuresPerImage: number;
  /** Most of them that are kept, of all images. */
  readonly keptFeatures: number;
  /** Additions and multiplications of the matrix products of one question, LoRA merged: encoders, language model, masks. */
  readonly questionFlops: number;
  /** Those of the forward and backward pass on one micro-batch. */
  readonly stepFlops: number;
  readonly engines: readonly EnginePlan[];
}

export const FLOAT_BYTES = 4;
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

/** Matrices in 16 bits that are among an engine's tensors; elsewhere they lie outside of them. */
export function packedTensors(engine: PlannedEngine, packedWeights: number): number {
  return engine === 'tensorflow' ? packedWeights : 0;
}

/** Bytes of a process whose tensors, weights among them, take `tensors` at most; kept features left out. */
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
  const { stage, kind, experiment } = source;
  const pack = (network: GroundingModel): void => {
    holdFrozenWeights(network, stage, source.frozenWeights);
  };
  const dryRun = (engine: DryRunKind) =>
    counted(engine, source, pack, async (bench, peakOf) => {
      const inference = await questionPeak(bench, peakOf);
      let training = 0;
      const stepFlops = await countFlops(async () => {
        training = await trainingPeak(engine, peakOf, bench, source);
      });
      const { network, featureBytes: featuresPerImage } = bench;
      const parts = partSizes(network, stage);
      return { parts, featuresPerImage, packedWeights: packedBytes(network), inference, training, stepFlops };
    });
  const peaks = { fused: await dryRun('fused'), formulas: await dryRun('formulas') };
  const { parts, featuresPerImage, packedWeights, stepFlops } = peaks.fused;
  const parameters = parts.reduce((sum, part) => sum + part.parameters, 0);
  const trainable = parts.reduce((sum, part) => sum + part.trainable, 0);
  // What is packed takes half of what it took.
  const weights = FLOAT_BYTES * parameters - packedWeights;
  // Training on images keeps them; a benchmark repeats one batch, and the base's stages train their encoders.
  const keepsFeatures = kind !== 'benchmark' && experiment?.data.kind !== 'scenes' && featuresPerImage > 0;
  const keptFeatures = keepsFeatures ? MOST_FEATURE_BYTES : 0;
  const engines = (Object.keys(PROCESS) as PlannedEngine[]).map((engine) => {
    const { training, inference } = peaks[PLANNED_KINDS[engine]];
    const peak = (others: number, outside: number): PeakBytes => {
      const tensors = others + packedTensors(engine, packedWeights);
      return { tensors, process: processBytes(engine, tensors, { weights, packedWeights }) + outside };
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
    questionFlops: await questionFlops(source),
    stepFlops,
    engines,
  };
}

/** Arithmetic of one question about one target, by a model whose adapters are merged. */
function questionFlops({ model, question }: PlanSource): Promise<number> {
  const merged: ModelSizes = { ...model, lora: { ...model.lora, r: 0 } } as ModelSizes;
  const sizes = { model: merged, workload: question };
  return counted(
    'fused',
    sizes,
    () => undefined,
    (bench) => countFlops(() => bench.evaluatedImage()),
  );
}

/** Sizes of a model and of its work; what trains is of its stage, by default what its system's recipe trains. */
interface CountedSizes {
  readonly model: ModelSizes;
  readonly workload: Workload;
  readonly stage?: Stage;
}

/** Counts on a model of these sizes whose numbers are not computed. @param pack called before it is built */
export async function counted<T>(
  kind: DryRunKind,
  { model, workload, stage = 'grounding' }: CountedSizes,
  pack: (network: GroundingModel) => void,
  count: (bench: ModelWork, peakOf: PeakCounter) => Promise<T>,
): Promise<T> {
  const peakOf = await startDryRun(kind);
  const system = await systemNamed(model.system, 'Planning memory');
  const network = system.build(model);
  pack(network);
  network.build();
  const trains = trainsOnSets(stage) ? trainsIn(stage, network) : network.trains;
  const bench = new ModelWork(system, network, workload, trains);
  try {
    return await count(bench, peakOf);
  } finally {
    bench.dispose();
  }
}

/** Most bytes in tensors while a question is answered; before there is an optimizer. */
export async function questionPeak(bench: ModelWork, peakOf: PeakCounter): Promise<number> {
  return Math.max(await peakOf(() => bench.evaluatedImage()), await peakOf(() => bench.generate()));
}

/** Numbers of every weight, in float32 or in 16 bits. */
export function weightSizes(network: GroundingModel): [name: string, numbers: number][] {
  return [
    ...[...network.namedParameters()].map(([name, { variable }]): [string, number] => {
      return [name, tf.util.sizeFromShape(variable.shape as number[])];
    }),
    ...[...network.packedParameters()].map(([name, { rows, columns }]): [string, number] => [name, rows * columns]),
  ];
}

async function trainingPeak(
  kind: DryRunKind,
  peakOf: PeakCounter,
  bench: ModelWork,
  { experiment, stage, workload, accumulation }: PlanSource,
): Promise<number> {
  const { system, network } = bench;
  const bytes = FLOAT_BYTES * [...trainableVariables(network, stage).values()].reduce((sum, { size }) => sum + size, 0);
  const [moments, sums] = [2 * bytes, accumulation > 1 ? bytes : 0];
  if (experiment?.data.kind !== 'scenes') {
    // Engines with kernels of their own update in place; the others hold one variable's temporaries.
    if (kind === 'formulas') return sums + (await peakOf(() => bench.trainingStep(true)));
    return moments + sums + (await peakOf(() => bench.forwardBackward(true)));
  }
  // A stage of the base: its own task on its own scenes.
  const { tokenizer } = startVocabulary(system, experiment);
  const meta = { conversation: experiment.conversation, stage, description: '' };
  const task = baseTask({ system, config: experiment, network, tokenizer, meta, rounded: [] }, experiment.data);
  const stream = task.samples(new Random(1), () => undefined);
  const samples = await Promise.all(Array.from({ length: workload.batch }, (_, position) => stream.at(position)));
  const step = async (): Promise<void> => {
    const { gradients } = await task.forwardBackward(samples, new Random(1));
    tf.dispose([...gradients.values()]);
  };
  return moments + sums + (await peakOf(step));
}

function partSizes(network: GroundingModel, stage: Stage): PartSize[] {
  const trained = trainableVariables(network, stage);
  const sizes = new Map(network.parts.map(({ symbol }) => [symbol, { parameters: 0, trainable: 0 }]));
  for (const [name, size] of weightSizes(network)) {
    const sum = sizes.get(network.parts.find(({ pattern }) => pattern.test(name))?.symbol ?? name);
    if (sum === undefined) throw new Error(`planMemory: "${name}" belongs to no part`);
    sum.parameters += size;
    if (trained.has(name)) sum.trainable += size;
  }
  return [...sizes].map(([part, size]) => ({ part, ...size }));
}
