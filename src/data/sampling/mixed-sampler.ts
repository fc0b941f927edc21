/**
 * Mixture of data sets (reference: HybridDataset): each position draws a kind by the given ratio, then one of its sets
 * and one of its images, both uniformly and with repetition. A further attempt draws another image of the same set,
 * which keeps the ratio.
 */
import { UserError } from '../../errors.js';
import type { Random } from '../../random.js';
import { type AnySet, imagesOf, type SampleDraw, type SampleSource } from './sample-source.js';
import { DATASET_KINDS, type DatasetKind } from '../facts.js';

/** Share of each kind, relative to the others. */
export type KindWeights = Readonly<Record<DatasetKind, number>>;

/** The published mixture (reference: `--sample_rates 9,6,3,1`). */
export const PUBLISHED_WEIGHTS: KindWeights = { sem_seg: 9, refer_seg: 6, vqa: 3, reason_seg: 1 };

interface KindGroup {
  readonly sets: readonly AnySet[];
  /** Where the kind's part of [0, 1) ends. */
  readonly end: number;
}

export class MixedSampler implements SampleSource {
  readonly epochLength: number;
  readonly keepsImage = false;
  private readonly groups: readonly KindGroup[];

  /** @param random seed, not moved @throws UserError without sets, for an empty set or an unusable weight */
  constructor(
    sets: readonly AnySet[],
    private readonly random: Random,
    weights: KindWeights = PUBLISHED_WEIGHTS,
  ) {
    this.epochLength = imagesOf(sets);
    checkWeights(sets, weights);
    const present = DATASET_KINDS.map((kind) => ({
      sets: sets.filter((set) => set.kind === kind),
      weight: weights[kind],
    })).filter((group) => group.sets.length > 0 && group.weight > 0);
    const total = present.reduce((sum, { weight }) => sum + weight, 0);
    let reached = 0;
    this.groups = present.map((group, i) => {
      reached += group.weight;
      // Whatever the rounding, the last part ends at 1.
      return { sets: group.sets, end: i === present.length - 1 ? 1 : reached / total };
    });
  }

  draw(position: number, attempt: number): SampleDraw {
    const choice = this.random.fork(position);
    const at = choice.uniform();
    const group = this.groups.find(({ end }) => at < end) as KindGroup;
    const set = choice.pick(group.sets);
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
