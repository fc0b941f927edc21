/**
 * Image of each position of a run, by seed and position alone: the same on any number of workers and after a resume. In
 * whole epochs every image comes once per epoch; a mixture draws sets by their weights.
 */
import { UserError } from '../../errors.js';
import type { Random } from '../../random.js';
import { DATASET_KINDS, type DatasetKind, type TrainingSet } from '../facts.js';

export class SampleOrder {
  private readonly epochs: Random;
  private readonly draws: Random;
  private cachedEpoch = -1;
  private permutation: readonly number[] = [];

  constructor(
    readonly sampleCount: number,
    random: Random,
  ) {
    this.epochs = random.fork(0);
    this.draws = random.fork(1);
  }

  epochOf(position: number): number {
    return Math.floor(position / this.sampleCount);
  }

  indexAt(position: number): number {
    const epoch = this.epochOf(position);
    if (epoch !== this.cachedEpoch) {
      const all = Array.from({ length: this.sampleCount }, (_, index) => index);
      this.permutation = this.epochs.fork(epoch).shuffle(all);
      this.cachedEpoch = epoch;
    }
    return this.permutation[position % this.sampleCount] as number;
  }

  /** The generator that belongs to the draw at a position: the same sample is prepared differently in each epoch. */
  randomAt(position: number): Random {
    return this.draws.fork(position);
  }
}

/** A set of any kind: what its requests have beyond the common part is between it and the maker of its samples. */
export type AnySet = TrainingSet;

export interface SampleDraw {
  readonly set: AnySet;
  /** Image within the set. */
  readonly index: number;
  /** The generator of everything else that is drawn for this attempt. */
  readonly random: Random;
}

export interface SampleSource {
  /** Images of all sets: the positions that count as an epoch. */
  readonly epochLength: number;
  /** Whether every attempt at a position is about the same image (whole epochs), or each about another (mixtures). */
  readonly keepsImage: boolean;
  /** @param attempt 0, then 1, 2, … where the attempts before gave no sample */
  draw(position: number, attempt: number): SampleDraw;
}

/** The sum of the sets' lengths. @throws UserError where there is no set, or one without images */
export function imagesOf(sets: readonly AnySet[]): number {
  if (sets.length === 0) throw new UserError('Training data: no data set is given; name at least one.');
  const empty = sets.find((set) => set.length === 0);
  if (empty !== undefined) {
    throw new UserError(`Training data: the set "${empty.name}" has no images; check its folder or leave it out.`);
  }
  return sets.reduce((sum, set) => sum + set.length, 0);
}

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

/** Share of each kind, relative to the others. */
export type KindWeights = Readonly<Record<DatasetKind, number>>;

/** The published mixture (reference: `--sample_rates 9,6,3,1`). */
export const PUBLISHED_WEIGHTS: KindWeights = { sem_seg: 9, refer_seg: 6, vqa: 3, reason_seg: 1 };

/**
 * Mixture of data sets (reference: HybridDataset): each position draws a kind by the given ratio, then one of its sets
 * and one of its images, both uniformly and with repetition. A further attempt draws another image of the same set,
 * which keeps the ratio.
 */
export class MixedSampler implements SampleSource {
  readonly epochLength: number;
  readonly keepsImage = false;
  /** Sets of each kind, and where the kind's part of [0, 1) ends. */
  private readonly groups: readonly { readonly sets: readonly AnySet[]; readonly end: number }[];

  /** @param random seed, not moved @throws UserError without sets, for an empty set or an unusable weight */
  constructor(
    sets: readonly AnySet[],
    private readonly random: Random,
    weights: KindWeights = PUBLISHED_WEIGHTS,
  ) {
    this.epochLength = imagesOf(sets);
    checkWeights(sets, weights);
    const present = DATASET_KINDS.filter((kind) => weights[kind] > 0 && sets.some((set) => set.kind === kind));
    const total = present.reduce((sum, kind) => sum + weights[kind], 0);
    let reached = 0;
    this.groups = present.map((kind, i) => {
      reached += weights[kind];
      // Whatever the rounding, the last part ends at 1.
      return { sets: sets.filter((set) => set.kind === kind), end: i === present.length - 1 ? 1 : reached / total };
    });
  }

  draw(position: number, attempt: number): SampleDraw {
    const choice = this.random.fork(position);
    const at = choice.uniform();
    const set = choice.pick(this.groups.find(({ end }) => at < end)?.sets ?? []);
    const random = choice.fork(attempt);
    return { set, index: random.integer(set.length), random };
  }
}

/** Each weight is a number from 0 up; a set whose kind has none would never be drawn. */
function checkWeights(sets: readonly AnySet[], weights: KindWeights): void {
  for (const kind of DATASET_KINDS) {
    if (Number.isFinite(weights[kind]) && weights[kind] >= 0) continue;
    throw new UserError(`Mixing data sets: the weight of ${kind} is ${weights[kind]}; expected a number from 0 up.`);
  }
  const unused = sets.find((set) => weights[set.kind] === 0);
  if (unused === undefined) return;
  throw new UserError(
    `Mixing data sets: the set "${unused.name}" would never be drawn, since the weight of ${unused.kind} is 0. ` +
      'Give the kind a weight or leave the set out.',
  );
}
