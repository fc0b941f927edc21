import * as tf from '../../engine/tf.js';

/**
 * ZeRO's partition (Rajbhandari et al., "ZeRO"): all trainable numbers in one row, cut into buckets of bounded size;
 * rank r owns block r of each bucket and holds Adam's moments of its blocks alone.
 */

/** Numbers in a bucket: 100 MB, enough that the time to start an exchange does not count. */
export const BUCKET_SIZE = 25_000_000;

/** A stretch of one variable. */
export interface Segment {
  readonly name: string;
  /** First number within the variable, and within the bucket or block. */
  readonly start: number;
  readonly offset: number;
  readonly length: number;
}

export interface BucketLayout {
  readonly segments: readonly Segment[];
  /** Those of this rank's block; offsets count from the block's start. */
  readonly own: readonly Segment[];
}

export interface Partition {
  /** Numbers that a rank owns of a bucket, the same in all; behind the last variable they mean nothing. */
  readonly blockLength: number;
  readonly buckets: readonly BucketLayout[];
}

/** @param sizes numbers of each variable by name, in the order that is the same on all ranks */
export function partition(sizes: ReadonlyMap<string, number>, rank: number, ranks: number, bucketSize = BUCKET_SIZE) {
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const blockLength = Math.max(1, Math.ceil(Math.min(bucketSize, total) / ranks));
  const bucketLength = blockLength * ranks;
  const count = Math.ceil(total / bucketLength);
  const buckets = Array.from({ length: count }, (_, index): BucketLayout => {
    const first = index * bucketLength;
    const block = first + rank * blockLength;
    return { segments: between(sizes, first, first + bucketLength), own: between(sizes, block, block + blockLength) };
  });
  return { blockLength, buckets };
}

/** Segments between two places of the row. */
function between(sizes: ReadonlyMap<string, number>, from: number, to: number): Segment[] {
  const segments: Segment[] = [];
  let position = 0;
  for (const [name, size] of sizes) {
    const first = Math.max(from, position);
    const last = Math.min(to, position + size);
    if (first < last) segments.push({ name, start: first - position, offset: first - from, length: last - first });
    position += size;
  }
  return segments;
}

/** Reads tensors bucket by bucket; one that spans several buckets is fetched from the engine once. */
export class BucketReader {
  private name = '';
  private numbers: Float32Array = new Float32Array(0);

  constructor(private readonly tensors: ReadonlyMap<string, tf.Tensor>) {}

  /** Fills a bucket; zeros where there is no tensor. */
  async read(segments: readonly Segment[], bucket: Float32Array): Promise<void> {
    bucket.fill(0);
    for (const { name, start, offset, length } of segments) {
      const tensor = this.tensors.get(name);
      if (tensor === undefined) continue;
      if (this.name !== name) {
        this.numbers = await tensor.data<'float32'>();
        this.name = name;
      }
      bucket.set(this.numbers.subarray(start, start + length), offset);
    }
  }
}

/** Puts buckets together to whole variables again, in the order of the row. */
export class BucketWriter {
  private whole: Float32Array = new Float32Array(0);

  /** @param sizeOf numbers of a variable @param take gets, and owns, each variable's numbers once they are complete */
  constructor(
    private readonly sizeOf: (name: string) => number,
    private readonly take: (name: string, numbers: Float32Array) => void,
  ) {}

  write(segments: readonly Segment[], bucket: Float32Array): void {
    for (const { name, start, offset, length } of segments) {
      const size = this.sizeOf(name);
      if (start === 0) this.whole = new Float32Array(size);
      this.whole.set(bucket.subarray(offset, offset + length), start);
      if (start + length < size) continue;
      this.take(name, this.whole);
      this.whole = new Float32Array(0);
    }
  }
}

/** A stretch of a variable's numbers as a variable of its own. */
export function segmentOf(variable: tf.Variable, { start, length }: Segment): tf.Variable {
  return tf.tidy(() => tf.variable(tf.slice(tf.reshape(variable, [-1]), [start], [length]), false));
}
