/** Moves numbers between tensors, wherever the engine keeps them, and buckets in this process's memory. */
import * as tf from '../../engine/tf.js';
import type { Segment } from './partition.js';

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
