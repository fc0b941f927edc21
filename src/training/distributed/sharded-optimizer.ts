/**
 * AdamW with ZeRO-2: reduce-scatter gives each rank the gradient sums of its blocks, whose moments it alone holds;
 * all-gather sends the updated numbers. They are those of one process (adamWUpdate) but for the order of gradient sums.
 * While a bucket is on its way, the next is filled or updated; nothing overlaps the backward pass, since a micro-batch
 * gives all gradients at once.
 */
import { adamWUpdate } from '../../engine/fused-ops.js';
import * as tf from '../../engine/tf.js';
import { type AdamWOptions, assignNumbers, clipFactor, copyOf, learningRateFactors } from '../optimizer/optimizer.js';
import type { MomentPart, MomentReader, OptimizerRule } from '../optimizer/optimizer-rule.js';
import { addSquares, NO_SQUARES, updateSquares, type UpdateSquares } from '../optimizer/update-squares.js';
import { BUCKET_SIZE, BucketReader, BucketWriter, partition, segmentOf } from './partition.js';
import type { BucketLayout, Partition, Segment } from './partition.js';
import type { Communicator } from './communicator.js';
import type { NamedTensors, NamedVariables } from '../../nn/backprop.js';

/** Adam's memory of one stretch. */
interface SegmentState extends Segment {
  readonly m: tf.Variable;
  readonly v: tf.Variable;
}

interface Shard {
  readonly layout: BucketLayout;
  readonly states: readonly SegmentState[];
}

export class ShardedAdamW implements OptimizerRule {
  readonly steps: Map<string, number>;
  private readonly partition: Partition;
  private readonly shards: readonly Shard[];
  private readonly factors: ReadonlyMap<string, number>;
  /** Sums over all ranks of this rank's blocks, by bucket, from `globalNorm` for `apply`. */
  private readonly gradientBlocks: Float32Array[] = [];
  /** Kept: the system takes longer to give fresh memory than to fill it. */
  private buckets: readonly [Float32Array, Float32Array] | null = null;
  /** Names of the variables that any rank has a gradient of. */
  private present: ReadonlySet<string> = new Set();

  constructor(
    readonly variables: NamedVariables,
    private readonly options: AdamWOptions,
    private readonly communicator: Communicator,
    bucketSize = BUCKET_SIZE,
  ) {
    const names = [...variables.keys()];
    this.factors = learningRateFactors(names, options.learningRateMultipliers ?? {});
    this.steps = new Map(names.map((name) => [name, 0]));
    const sizes = new Map([...variables].map(([name, { size }]) => [name, size]));
    this.partition = partition(sizes, communicator.rank, communicator.size, bucketSize);
    const zeros = (length: number): tf.Variable => tf.tidy(() => tf.variable(tf.zeros([length]), false));
    this.shards = this.partition.buckets.map((layout) => ({
      layout,
      states: layout.own.map((segment) => ({ ...segment, m: zeros(segment.length), v: zeros(segment.length) })),
    }));
  }

  async globalNorm(gradients: NamedTensors, gradientScale = 1): Promise<number> {
    await this.findPresent(gradients);
    const { blockLength } = this.partition;
    const reader = new BucketReader(gradients);
    const buffers = this.twoBuckets();
    const blocks = this.gradientBlocks;
    while (blocks.length < this.shards.length) blocks.push(new Float32Array(blockLength));
    const exchange = new Pipeline();
    for (const [index, { layout }] of this.shards.entries()) {
      const bucket = buffers[index % 2] as Float32Array;
      await reader.read(layout.segments, bucket);
      await exchange.then(() => this.communicator.reduceScatterSum(bucket, blocks[index] as Float32Array));
    }
    await exchange.end();
    const [total = NaN] = await this.communicator.sumOf([sumOfSquares(blocks)]);
    return Math.sqrt(total) * Math.abs(gradientScale);
  }

  async apply(_gradients: NamedTensors, learningRate: number, globalNorm: number, gradientScale = 1): Promise<void> {
    for (const name of this.present) this.steps.set(name, (this.steps.get(name) ?? 0) + 1);
    const scale = gradientScale * clipFactor(this.options, globalNorm);
    const { blockLength } = this.partition;
    const blocks = [new Float32Array(blockLength), new Float32Array(blockLength)];
    const buffers = this.twoBuckets();
    const writer = new BucketWriter(
      (name) => this.variable(name).size,
      (name, numbers) => {
        if (this.present.has(name)) assignNumbers(this.variable(name), numbers);
      },
    );
    // A variable is assigned when its last bucket is there; until then its old numbers are what updates start from.
    const exchange = new Pipeline();
    for (const [index, shard] of this.shards.entries()) {
      const block = blocks[index % 2] as Float32Array;
      await this.updateBlock(shard, this.gradientBlocks[index] as Float32Array, block, learningRate, scale);
      const bucket = buffers[index % 2] as Float32Array;
      await exchange.then(async () => {
        await this.communicator.allGather(block, bucket);
        writer.write(shard.layout.segments, bucket);
      });
    }
    await exchange.end();
  }

  /** Each rank measures its own blocks, of which alone it knows gradients and moments; the sums go to all. */
  async updateSquares(_gradients: NamedTensors, learningRate: number, gradientScale = 1) {
    const own = new Map<string, UpdateSquares>([...this.variables.keys()].map((name) => [name, NO_SQUARES]));
    for (const [index, { states }] of this.shards.entries()) {
      for (const state of states) {
        const squares = await this.segmentSquares(state, index, learningRate, gradientScale);
        own.set(state.name, addSquares(own.get(state.name) ?? NO_SQUARES, squares));
      }
    }
    const numbers = [...own.values()].flatMap(({ gradient, weights, change }) => [gradient, weights, change]);
    const sums = await this.communicator.sumOf(numbers);
    return new Map(
      [...own.keys()].map((name, i) => {
        const [gradient = NaN, weights = NaN, change = NaN] = sums.slice(3 * i, 3 * i + 3);
        return [name, { gradient, weights, change }];
      }),
    );
  }

  async moments(): Promise<readonly MomentPart[]> {
    const parts: MomentPart[] = [];
    for (const { name, start, m, v } of this.shards.flatMap(({ states }) => states)) {
      if (this.steps.get(name) !== 0) parts.push({ name, start, m: await copyOf(m), v: await copyOf(v) });
    }
    return parts;
  }

  restore(read: MomentReader, steps: Readonly<Record<string, number>>): void {
    for (const name of this.steps.keys()) this.steps.set(name, steps[name] ?? 0);
    for (const state of this.shards.flatMap(({ states }) => states)) {
      const { name, start, length } = state;
      const isThere = (this.steps.get(name) ?? 0) > 0;
      for (const moment of ['m', 'v'] as const) {
        assignNumbers(state[moment], isThere ? read(moment, name, start, length) : new Float32Array(length));
      }
    }
  }

  dispose(): void {
    for (const { states } of this.shards) for (const { m, v } of states) tf.dispose([m, v]);
  }

  /** A variable takes part in the update when any rank has a gradient of it. */
  private async findPresent(gradients: NamedTensors): Promise<void> {
    const names = [...this.variables.keys()];
    const strange = [...gradients.keys()].find((name) => !this.variables.has(name));
    if (strange !== undefined) throw new Error(`ShardedAdamW: there is no variable "${strange}" for this gradient`);
    const isPresent = await this.communicator.maxOf(names.map((name) => Number(gradients.has(name))));
    this.present = new Set(names.filter((_, index) => isPresent[index] === 1));
  }

  private async updateBlock(
    { states }: Shard,
    gradients: Float32Array,
    updated: Float32Array,
    learningRate: number,
    gradientScale: number,
  ): Promise<void> {
    const { beta1, beta2, eps, weightDecay } = this.options;
    for (const state of states) {
      const { name, offset, length, m, v } = state;
      if (!this.present.has(name)) continue;
      const variable = segmentOf(this.variable(name), state);
      const gradient = tf.tensor1d(gradients.slice(offset, offset + length));
      try {
        adamWUpdate({
          ...{ variable, m, v, gradient, beta1, beta2, eps, weightDecay, gradientScale },
          learningRate: learningRate * (this.factors.get(name) ?? 1),
          step: this.steps.get(name) ?? 1,
        });
        updated.set(await variable.data<'float32'>(), offset);
      } finally {
        tf.dispose([variable, gradient]);
      }
    }
  }

  private async segmentSquares(
    state: SegmentState,
    bucket: number,
    learningRate: number,
    gradientScale: number,
  ): Promise<UpdateSquares> {
    const { name, offset, length, m, v } = state;
    const block = this.gradientBlocks[bucket] as Float32Array;
    const variable = segmentOf(this.variable(name), state);
    const gradient = tf.tensor1d(block.slice(offset, offset + length));
    try {
      const rate = learningRate * (this.factors.get(name) ?? 1);
      const step = this.steps.get(name) ?? 1;
      const update = this.present.has(name) ? { gradient, m, v, step, learningRate: rate } : null;
      const [squares = NO_SQUARES] = await updateSquares([{ variable, update }], this.options, gradientScale);
      return squares;
    } finally {
      tf.dispose([variable, gradient]);
    }
  }

  private twoBuckets(): readonly [Float32Array, Float32Array] {
    const length = this.partition.blockLength * this.communicator.size;
    this.buckets ??= [new Float32Array(length), new Float32Array(this.shards.length > 1 ? length : 0)];
    return this.buckets;
  }

  private variable(name: string): tf.Variable {
    const variable = this.variables.get(name);
    if (variable === undefined) throw new Error(`ShardedAdamW: there is no variable "${name}"`);
    return variable;
  }
}

/** One exchange under way while the next is prepared. */
class Pipeline {
  private pending: Promise<void> = Promise.resolve();

  /** Starts an exchange when the one before is done; returns as soon as it is started. */
  async then(start: () => Promise<void>): Promise<void> {
    await this.pending;
    this.pending = start();
    // The error is reported where the pipeline is awaited next; until then it must not count as unhandled.
    this.pending.catch(() => undefined);
  }

  end(): Promise<void> {
    return this.pending;
  }
}

/** In float64. */
function sumOfSquares(blocks: readonly Float32Array[]): number {
  let sum = 0;
  for (const block of blocks) for (let i = 0; i < block.length; i++) sum += (block[i] as number) ** 2;
  return sum;
}
