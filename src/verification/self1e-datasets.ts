/**
 * SELF1E's recorded conversations made from the facts of the datasets: training with every draw the first or the last
 * choice, and validation, each with its masks.
 */
import type { JsonPlace } from '../data/annotation-files.js';
import { emptyRle, encodeMask, mergeRles, type Rle, rleFromString } from '../data/masks/coco-mask.js';
import type { Turn } from '../data/text/conversation.js';
import type { Tokenizer } from '../data/text/tokenizer.js';
import { Self1eDialogue } from '../systems/self1e/dialogue.js';
import type { Self1eIds } from '../systems/self1e/tokens.js';
import type { BinaryMask } from '../types.js';
import { compareRles, numbers, openRecordedSplit, recordedPath, texts } from './datasets-recorded.js';
import { FIRST, LAST, recordedFacts, Scripted } from './recorded-facts.js';
import { expandedRow, textOf } from './self1e-words.js';
import { itemsOf, Mismatches, type VerifyItem } from './verify-item.js';

/** Names of sets that the recording has otherwise. */
const SETS: Readonly<Record<string, string>> = { ReasonSeg: 'reason_seg', vqa: 'llava_instruct_150k' };

/** @throws UserError where a dataset or a part of the recording is missing */
export async function verifySelf1eDatasets(
  root: JsonPlace,
  dataDir: string,
  tokenizer: Tokenizer,
  ids: Self1eIds,
): Promise<VerifyItem[]> {
  const head = root.key('head').string();
  return [
    ...(await verifyTraining(root.key('datasets'), head, dataDir)),
    ...(await verifyValidation(root, head, dataDir, tokenizer, ids)),
  ];
}

async function verifyTraining(sets: JsonPlace, head: string, dataDir: string): Promise<VerifyItem[]> {
  const words = new Mismatches("SELF1E's training: questions and answers");
  const masks = new Mismatches("SELF1E's training: sizes and masks");
  const dialogue = new Self1eDialogue();
  for (const [name, entries] of sets.entries()) {
    for (const entry of entries.array()) {
      const choice = entry.key('draw').string() === 'last' ? LAST : FIRST;
      const image = entry.key('image').string();
      const facts = await recordedFacts(SETS[name] ?? name, image, dataDir, choice);
      const lessons = dialogue.lessons(facts, new Scripted(choice));
      const what = `${name}, ${entry.key('draw').string()}, ${image}`;
      const asked = lessons.map(({ turns }) => turns);
      compareTurns(words, what, asked, head, entry);
      if (entry.optional('masks') === null) continue;
      masks.compare(`size of ${what}`, [facts.height, facts.width], numbers(entry.key('size')));
      const targets = lessons.flatMap((lesson) => lesson.targets);
      compareMasks(masks, what, targets, entry);
    }
  }
  return itemsOf(words, masks);
}

async function verifyValidation(
  root: JsonPlace,
  head: string,
  dataDir: string,
  tokenizer: Tokenizer,
  ids: Self1eIds,
): Promise<VerifyItem[]> {
  const words = new Mismatches("SELF1E's validation: questions, ids and lengths");
  const masks = new Mismatches("SELF1E's validation: sizes, masks and ignored pixels");
  const dialogue = new Self1eDialogue();
  const count = root.key('num_image_token').integer();
  for (const [name, entries] of root.key('validation').entries()) {
    const dataset = await openRecordedSplit(name, dataDir, { honourIgnore: true, asWritten: true });
    words.compare(`pictures of ${name}`, dataset.images.length, entries.array().length);
    for (const entry of entries.array()) {
      const path = entry.key('image').string();
      const image = dataset.images.find((each) => recordedPath(dataDir, each.path) === path);
      words.compare(`picture of ${name}`, image === undefined ? 'none' : path, path);
      if (image === undefined) continue;
      const what = `${name}, ${path}`;
      const targets = dataset.targets(image);
      const asked = targets.flatMap(({ expression, form }) => {
        return dialogue.exam([expression], ['found'], form ?? 'reference').map(({ turn }) => [turn]);
      });
      compareTurns(words, what, asked, head, entry);
      const rows = asked.map((turns) => expandedRow(tokenizer, turns, count, ids).inputIds);
      words.compare(`first ids of ${what}`, rows[0] ?? [], numbers(entry.key('first_ids')));
      const lengths = rows.map((row) => row.length);
      words.compare(`lengths of ${what}`, lengths, numbers(entry.key('lengths')));
      masks.compare(`size of ${what}`, [image.height, image.width], numbers(entry.key('size')));
      compareMasks(masks, what, targets, entry);
    }
  }
  return itemsOf(words, masks);
}

/** @param head of every prompt, which the recorded turns lack */
function compareTurns(
  into: Mismatches,
  what: string,
  found: readonly (readonly Turn[])[],
  head: string,
  entry: JsonPlace,
): void {
  const recorded = texts(entry.key('turns')).map((text) => head + text);
  into.compare(what, found.map(textOf).join('\n'), recorded.join('\n'));
}

interface Masked {
  readonly mask: BinaryMask | null;
  readonly ignored?: BinaryMask;
}

/** Where polygons of one object overlap the reference has 2, which is 1 here. */
function compareMasks(into: Mismatches, what: string, found: readonly Masked[], entry: JsonPlace): void {
  const recorded = entry.key('masks').array();
  const [height = 0, width = 0] = numbers(entry.key('size'));
  const empty = emptyRle(height, width);
  const layers = (place: JsonPlace, ...keys: string[]): Rle => {
    const rles = keys.map((key) => place.optional(key)?.string()).filter((counts) => counts !== undefined);
    return mergeRles([empty, ...rles.map((counts) => rleFromString(counts, height, width))]);
  };
  const ours = (mask: BinaryMask | null | undefined): Rle => (mask ? encodeMask(mask) : empty);
  into.compare(`number of masks of ${what}`, found.length, recorded.length);
  for (const [i, place] of recorded.entries()) {
    compareRles(into, `mask ${i} of ${what}`, ours(found[i]?.mask), layers(place, 'rle', 'twos'));
    compareRles(into, `ignored pixels of mask ${i} of ${what}`, ours(found[i]?.ignored), layers(place, 'ignored'));
  }
}
