/**
 * Every image of the sets once in each epoch, in random order (reference: `--no_sampling`): how models are fine-tuned.
 */
import type { Random } from '../../random.js';
import { SampleOrder } from './sample-order.js';
import { type AnySet, imagesOf, type SampleDraw, type SampleSource } from './sample-source.js';

export class WholeEpochs implements SampleSource {
  readonly epochLength: number;
  /** Another image instead would come twice in its epoch. */
  readonly keepsImage = true;
  private readonly order: SampleOrder;

  /** @throws UserError where there is no set, or one without images */
  constructor(
    private readonly sets: readonly AnySet[],
    random: Random,
  ) {
    this.epochLength = imagesOf(sets);
    this.order = new SampleOrder(this.epochLength, random);
  }

  draw(position: number, attempt: number): SampleDraw {
    let index = this.order.indexAt(position);
    const first = this.order.randomAt(position);
    const random = attempt === 0 ? first : first.fork(attempt);
    for (const set of this.sets) {
      if (index < set.length) return { set, index, random };
      index -= set.length;
    }
    throw new RangeError(`WholeEpochs.draw: no image at position ${position}`);
  }
}
