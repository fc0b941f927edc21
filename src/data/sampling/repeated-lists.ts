/**
 * Whole epochs over lists that are repeated by kind: the items of every set, each as often as the rate of its kind says,
 * joined and shuffled. The last place of every micro-batch may belong to the segmentation sets, so that each has masks.
 * Item of a position by seed and position alone: the same on any number of workers and ranks, and after a resume.
 */
import { UserError } from '../../errors.js';
import type { Random } from '../../random.js';
import type { DatasetKind } from '../facts.js';
import { type AnySet, imagesOf, type SampleDraw, SampleOrder, type SampleSource } from './sample-source.js';

/** Kinds in the order of the lists and of written rates; those with masks before the one in words. */
export const REPEATED_KINDS = ['sem_seg', 'refer_seg', 'reason_seg', 'vqa'] as const;

/** How often each item of a kind comes in an epoch; whole numbers from 1. */
export type KindRates = Readonly<Record<DatasetKind, number>>;

export interface Repetition {
  readonly rates: KindRates;
  /** Sets whose items are drawn at random instead, as often as their list is long. */
  readonly drawn: ReadonlySet<AnySet>;
  /** Size of the micro-batches whose last item is replaced by one of the segmentation sets; null: none is. */
  readonly replaceLastOf: number | null;
}

/** A set with the number of its places in an epoch. */
interface RepeatedList {
  readonly set: AnySet;
  readonly places: number;
}

/** The lists in the order of REPEATED_KINDS, within a kind as given. */
export function repeatedLists(sets: readonly AnySet[], rates: KindRates): RepeatedList[] {
  return REPEATED_KINDS.flatMap((kind) => {
    return sets.filter((set) => set.kind === kind).map((set) => ({ set, places: set.length * rates[kind] }));
  });
}

/** Items of an epoch, all sets together. @throws UserError where there is no set, or an empty one */
export function repeatedLength(sets: readonly AnySet[], rates: KindRates): number {
  imagesOf(sets);
  return placesOf(repeatedLists(sets, rates));
}

function placesOf(lists: readonly RepeatedList[]): number {
  return lists.reduce((sum, { places }) => sum + places, 0);
}

export class RepeatedLists implements SampleSource {
  readonly epochLength: number;
  /** Another item takes the place of an unusable one, so that micro-batches keep their last places. */
  readonly keepsImage = false;
  private readonly lists: readonly RepeatedList[];
  /** Places of the lists with masks, which come first. */
  private readonly segmentation: number;
  private readonly order: SampleOrder;
  private readonly replacements: Random;

  /**
   * @param random seed, not moved
   * @throws UserError without sets, for an empty set, or where the last of a micro-batch cannot be replaced sensibly
   */
  constructor(
    sets: readonly AnySet[],
    random: Random,
    private readonly repetition: Repetition,
  ) {
    const { rates, replaceLastOf } = repetition;
    this.epochLength = repeatedLength(sets, rates);
    this.lists = repeatedLists(sets, rates);
    this.segmentation = placesOf(this.lists.filter(({ set }) => set.kind !== 'vqa'));
    this.order = new SampleOrder(this.epochLength, random);
    this.replacements = random.fork(2);
    if (replaceLastOf !== null) checkReplacement(replaceLastOf, this.segmentation, this.epochLength);
  }

  draw(position: number, attempt: number): SampleDraw {
    const { replaceLastOf, drawn } = this.repetition;
    const isReplaced = replaceLastOf !== null && position % replaceLastOf === replaceLastOf - 1;
    const place = isReplaced
      ? this.replacements.fork(position).integer(this.segmentation)
      : this.order.indexAt(position);
    const { set, index } = this.itemAt(place);
    const first = this.order.randomAt(position);
    const random = attempt === 0 ? first : first.fork(attempt);
    const isDrawn = attempt > 0 || drawn.has(set);
    return { set, index: isDrawn ? random.integer(set.length) : index, random };
  }

  private itemAt(place: number): { readonly set: AnySet; readonly index: number } {
    let left = place;
    for (const { set, places } of this.lists) {
      if (left < places) return { set, index: left % set.length };
      left -= places;
    }
    throw new RangeError(`RepeatedLists: no item at place ${place} of ${this.epochLength}`);
  }
}

function checkReplacement(batchSize: number, segmentation: number, epochLength: number): void {
  const doing = 'Repeating data sets: the last picture of every micro-batch is to be one of the segmentation sets';
  if (segmentation === 0) {
    throw new UserError(`${doing}, but there is none. Add one, or set data.lastOfBatch to null.`);
  }
  if (batchSize > 1 || segmentation === epochLength) return;
  throw new UserError(
    `${doing}, and micro-batches have a single one: the other sets would never be used. Set training.batchSize to 2 or ` +
      'more, or data.lastOfBatch to null.',
  );
}
