/**
 * SELF1E's recorded mixture: how many items of every list come in an epoch, for the SEG-rates of its base and its SEG
 * version. The five sets of short questions are given by their numbers of lines, 2 to 6, as in the recording.
 */
import type { JsonPlace } from '../data/annotation-files.js';
import { openTrainingSet } from '../data/dataset-registry.js';
import { trainingSet } from '../data/facts.js';
import { type KindRates, REPEATED_KINDS, repeatedLists, RepeatedLists } from '../data/sampling/repeated-lists.js';
import type { AnySet } from '../data/sampling/sample-source.js';
import { Random } from '../random.js';
import { itemsOf, Mismatches, type VerifyItem } from './verify-item.js';

/** Sets of the mixture in the recording's order, those that are read from the miniatures. */
const READ = {
  sem_seg: ['ade20k', 'cocostuff', 'pascal_part', 'paco_lvis'],
  refer_seg: ['refcoco', 'refcoco+', 'refcocog'],
  reason_seg: ['reason_seg'],
  vqa: ['llava_instruct_150k'],
} as const;
const QUESTION_LINES = [2, 3, 4, 5, 6];

/**
 * @param mixture the recording's list of versions, each with `rates`, `lengths`, `segmentation` and `total`
 * @param dataDir folder of the miniatures that it was made from
 * @throws UserError where a dataset or a part of the recording is missing
 */
export function verifySelf1eMixture(mixture: JsonPlace, dataDir: string): VerifyItem[] {
  const mismatches = new Mismatches('SELF1E: items of the lists repeated by SEG-rates');
  const sets: readonly AnySet[] = [
    ...REPEATED_KINDS.flatMap((kind) => READ[kind].map((name) => openTrainingSet(name, dataDir))),
    ...QUESTION_LINES.map((lines) => questionsOf(lines)),
  ];
  for (const version of mixture.array()) {
    const written = version.key('rates').numbers();
    const what = `rates ${written.join(',')}`;
    const rates = Object.fromEntries(REPEATED_KINDS.map((kind, i) => [kind, written[i]])) as KindRates;
    mismatches.compare(`${what}: lengths`, lengthsOf(sets, rates), version.key('lengths').numbers());
    const source = new RepeatedLists(sets, new Random(1), { rates, drawn: new Set(), replaceLastOf: null });
    mismatches.compare(`${what}: total`, source.epochLength, version.key('total').integer());
    const drawn = Array.from({ length: source.epochLength }, (_, position) => source.draw(position, 0));
    const segmentation = drawn.filter(({ set }) => set.kind !== 'vqa').length;
    mismatches.compare(`${what}: items with masks`, segmentation, version.key('segmentation').integer());
    // Every item as often as its rate says.
    const counts = new Map<string, number>();
    for (const { set, index } of drawn) {
      const item = `${set.kind} ${set.name} ${index}`;
      counts.set(item, (counts.get(item) ?? 0) + 1);
    }
    const uneven = sets.filter((set) => {
      return Array.from({ length: set.length }, (_, i) => counts.get(`${set.kind} ${set.name} ${i}`)).some(
        (count) => count !== rates[set.kind],
      );
    });
    mismatches.add(`${what}: repetitions`, uneven.length, uneven.map(({ name }) => name).join(', '));
  }
  return itemsOf(mismatches);
}

/** One length a kind with masks, then one a set of questions: the recording's lists. */
function lengthsOf(sets: readonly AnySet[], rates: KindRates): number[] {
  const lists = repeatedLists(sets, rates);
  const masks = REPEATED_KINDS.filter((kind) => kind !== 'vqa').map((kind) => {
    return lists.reduce((sum, { set, places }) => sum + (set.kind === kind ? places : 0), 0);
  });
  return [...masks, ...lists.filter(({ set }) => set.kind === 'vqa').map(({ places }) => places)];
}

/** A set of this many questions, for its length alone. */
function questionsOf(lines: number): AnySet {
  const images = Array.from({ length: lines }, (_, i) => `${i}.jpg`);
  return trainingSet(`${lines} questions`, 'vqa', images, (image) => ({ image }));
}
