/** Samples that are known by an index, each once in every epoch: the order of the tasks that make their own samples. */
import { SampleOrder } from '../../data/sampling/sample-order.js';
import { messageOf, UserError } from '../../errors.js';
import type { Random } from '../../random.js';
import type { SampleStream } from './training-task.js';

/** @param prepare makes the sample of an index in [0, sampleCount), with the generator that belongs to this draw */
export function epochSamples<Sample>(
  sampleCount: number,
  random: Random,
  prepare: (index: number, random: Random) => Promise<Sample>,
): SampleStream<Sample> {
  const order = new SampleOrder(sampleCount, random);
  return {
    at: async (position) => {
      const index = order.indexAt(position);
      try {
        return await prepare(index, order.randomAt(position));
      } catch (error) {
        if (error instanceof UserError) throw error;
        throw new Error(`Preparing training sample ${index} failed: ${messageOf(error)}`, { cause: error });
      }
    },
  };
}
