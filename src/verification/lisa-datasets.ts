/**
 * LISA's recorded conversations made from the facts of the datasets: training with every draw the first or the last
 * choice, and validation, each with its masks.
 */
import type { JsonPlace } from '../data/annotation-files.js';
import { openEvaluatedSet } from '../data/dataset-registry.js';
import type { DatasetKind } from '../data/facts.js';
import { resizeLongestSide } from '../data/image/image-transforms.js';
import { encodeMask, mergeRles, type Rle, rleFromString } from '../data/masks/coco-mask.js';
import type { ConversationStyle, Turn } from '../data/text/conversation.js';
import { LisaDialogue } from '../systems/lisa/dialogue.js';
import type { BinaryMask } from '../types.js';
import { compareRles, numbers, RECORDED_STYLES, recordedPath, recordedTurns } from './datasets-recorded.js';
import { FIRST, LAST, recordedFacts, Scripted } from './lisa-facts.js';
import { Mismatches, type VerifyItem } from './verify-item.js';

/** In the other one texts alone are recorded; the rest is the same. */
const MASKED_STYLE: ConversationStyle = 'llava_v1';
/** Side of F_V2's input in the recording. */
const IMAGE_SIZE = 1024;
/** Above the share of explanations alone. */
const NOT_ALONE = 0.5;

/** @throws UserError where a dataset or a part of the recording is missing */
export async function verifyLisaDatasets(root: JsonPlace, dataDir: string): Promise<VerifyItem[]> {
  const items: VerifyItem[] = [];
  for (const style of RECORDED_STYLES) {
    items.push(...(await verifyTraining(root.key('training').key(style), style, dataDir)));
    items.push(...(await verifyValidation(root.key('validation').key(style), style, dataDir)));
  }
  return items;
}

async function verifyTraining(entries: JsonPlace, style: ConversationStyle, dataDir: string): Promise<VerifyItem[]> {
  const texts = new Mismatches(`LISA's training, ${style}: questions and answers`);
  const masks = new Mismatches(`LISA's training, ${style}: sizes and masks`);
  for (const entry of entries.list()) {
    const [kind, how, image] = ['kind', 'how', 'image'].map((key) => entry.key(key).text()) as [
      DatasetKind,
      string,
      string,
    ];
    const choice = /last|explanatory=-1|phrase/.test(how) ? LAST : FIRST;
    const facts = await recordedFacts(kind, how, image, dataDir, choice);
    const dialogue = new LisaDialogue(how.startsWith('explanatory=-1') ? -1 : undefined);
    const lessons = dialogue.lessons(facts, new Scripted(choice, modeDraws(how)));
    const what = `${kind}, ${how}`;
    compareTurns(
      texts,
      what,
      style,
      lessons.map(({ turns }) => turns),
      entry,
    );
    if (style !== MASKED_STYLE) continue;
    compareSize(masks, what, facts, entry);
    // Where polygons overlap the reference adds them, so that the mask is 2 there.
    compareMasks(
      masks,
      what,
      lessons.flatMap(({ targets }) => targets.map(({ mask }) => mask)),
      entry,
      ['masks', '2'],
    );
  }
  return style === MASKED_STYLE ? [texts.item(), masks.item()] : [texts.item()];
}

/** Draws that lead to the recorded mode: explanation alone or not, then with or without explanation. */
function modeDraws(how: string): number[] {
  if (how.startsWith('mode 0')) return [NOT_ALONE, FIRST];
  if (how.startsWith('mode 1')) return [NOT_ALONE, LAST];
  return how.startsWith('mode 2') ? [0] : [];
}

async function verifyValidation(splits: JsonPlace, style: ConversationStyle, dataDir: string): Promise<VerifyItem[]> {
  const texts = new Mismatches(`LISA's validation, ${style}: questions and answers`);
  const masks = new Mismatches(`LISA's validation, ${style}: sizes and masks`);
  const dialogue = new LisaDialogue();
  for (const [name, entries] of splits.entries()) {
    const [set = '', ...more] = name.split('|');
    const registered = set === 'ReasonSeg' ? 'reason_seg' : set;
    const dataset = await openEvaluatedSet(registered, dataDir, more.at(-1) ?? '', {
      honourIgnore: true,
      asWritten: true,
    });
    texts.compare(`images of ${name}`, dataset.images.length, entries.list().length);
    for (const entry of entries.list()) {
      const path = entry.key('image').text();
      // The reference goes through a set of image ids, in an order of its own.
      const image = dataset.images.find((each) => recordedPath(dataDir, each.path) === path);
      texts.compare(`image of ${name}`, image === undefined ? 'none' : path, path);
      if (image === undefined) continue;
      const targets = dataset.targets(image);
      const asked = targets.flatMap(({ expression, form }) =>
        dialogue.exam([expression], ['found'], form ?? 'reference'),
      );
      compareTurns(
        texts,
        `${name}, ${path}`,
        style,
        asked.map(({ turn }) => [turn]),
        entry,
      );
      if (style !== MASKED_STYLE) continue;
      compareSize(masks, path, image, entry);
      compareMasks(
        masks,
        path,
        targets.map(({ mask }) => mask),
        entry,
        ['masks'],
      );
      const ignored = targets.flatMap((target) => target.ignored ?? []);
      compareMasks(masks, `ignored of ${path}`, ignored, entry, ['255']);
    }
  }
  return style === MASKED_STYLE ? [texts.item(), masks.item()] : [texts.item()];
}

function compareTurns(
  into: Mismatches,
  what: string,
  style: ConversationStyle,
  found: readonly (readonly Turn[])[],
  entry: JsonPlace,
): void {
  const recorded = entry
    .key('conversations')
    .list()
    .map((place) => recordedTurns(style, place.text()));
  into.compare(what, JSON.stringify(found), JSON.stringify(recorded));
}

type Size = Pick<BinaryMask, 'height' | 'width'>;

function compareSize(into: Mismatches, what: string, { height, width }: Size, entry: JsonPlace): void {
  const resized = resizeLongestSide(height, width, IMAGE_SIZE).join(' × ');
  into.compare(`size of ${what}`, resized, numbers(entry.key('resize')).join(' × '));
}

/** @param values of the recorded masks that belong to ours: those of "masks", or a value above 1 */
function compareMasks(
  into: Mismatches,
  what: string,
  found: readonly (BinaryMask | null)[],
  entry: JsonPlace,
  values: readonly string[],
): void {
  const layers = values.flatMap((value) => {
    if (value === 'masks') return [rles(entry.key('masks'))];
    const above = has(entry, 'above_one') ? entry.key('above_one') : null;
    return above !== null && has(above, value) ? [rles(above.key(value))] : [];
  });
  into.compare(`number of masks of ${what}`, found.length, layers[0]?.length ?? 0);
  for (const [i, mask] of found.entries()) {
    const parts = layers.flatMap((layer) => layer[i] ?? []);
    if (mask !== null && parts.length > 0)
      compareRles(into, `mask ${i} of ${what}`, encodeMask(mask), mergeRles(parts));
  }
}

function rles(list: JsonPlace): Rle[] {
  return list.list().map((entry) => {
    const [height = 0, width = 0] = numbers(entry.key('size'));
    return rleFromString(entry.key('counts').text(), height, width);
  });
}

function has(place: JsonPlace, key: string): boolean {
  return Object.hasOwn(place.value as object, key);
}
