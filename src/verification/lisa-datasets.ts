/**
 * LISA's recorded conversations made from the facts of the datasets: training with every draw the first or the last
 * choice, and validation, each with its masks.
 */
import type { JsonPlace } from '../data/annotation-files.js';
import type { DatasetKind } from '../data/facts.js';
import { encodeMask, mergeRles } from '../data/masks/coco-mask.js';
import type { ConversationStyle, Turn } from '../data/text/conversation.js';
import { LisaDialogue } from '../systems/lisa/dialogue.js';
import type { BinaryMask } from '../types.js';
import {
  compareRles,
  compareSize,
  openRecordedSplit,
  RECORDED_STYLES,
  recordedPath,
  recordedRle,
  recordedTurns,
  texts,
} from './datasets-recorded.js';
import { FIRST, LAST, recordedFacts, Scripted } from './recorded-facts.js';
import { itemsOf, Mismatches, type VerifyItem } from './verify-item.js';

/** Above the share of explanations alone. */
const NOT_ALONE = 0.5;

/** Conversations in one style, and their masks. */
class LisaMismatches {
  /** In the other style texts alone are recorded; the rest is the same. */
  readonly hasMasks: boolean;
  readonly texts: Mismatches;
  readonly masks: Mismatches;

  constructor(
    title: string,
    private readonly style: ConversationStyle,
  ) {
    this.hasMasks = style === 'llava_v1';
    this.texts = new Mismatches(`LISA's ${title}, ${style}: questions and answers`);
    this.masks = new Mismatches(`LISA's ${title}, ${style}: sizes and masks`);
  }

  compareTurns(what: string, found: readonly (readonly Turn[])[], entry: JsonPlace): void {
    const recorded = texts(entry.key('conversations')).map((text) => recordedTurns(this.style, text));
    this.texts.compare(what, JSON.stringify(found), JSON.stringify(recorded));
  }

  /** @param values of the recorded masks that belong to ours: those of "masks", or a value above 1 */
  compareMasks(what: string, found: readonly (BinaryMask | null)[], entry: JsonPlace, ...values: string[]): void {
    const layers = values.flatMap((value) => {
      if (value === 'masks') return [entry.key('masks')];
      const above = has(entry, 'above_one') ? entry.key('above_one') : null;
      return above !== null && has(above, value) ? [above.key(value)] : [];
    });
    const recorded = layers.map((layer) => layer.array().map(recordedRle));
    this.masks.compare(`number of masks of ${what}`, found.length, recorded[0]?.length ?? 0);
    for (const [i, mask] of found.entries()) {
      const parts = recorded.flatMap((layer) => layer[i] ?? []);
      if (mask !== null && parts.length > 0)
        compareRles(this.masks, `mask ${i} of ${what}`, encodeMask(mask), mergeRles(parts));
    }
  }

  items(): VerifyItem[] {
    return this.hasMasks ? itemsOf(this.texts, this.masks) : itemsOf(this.texts);
  }
}

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
  const mismatches = new LisaMismatches('training', style);
  for (const entry of entries.array()) {
    const [kind, how] = [entry.key('kind').string() as DatasetKind, entry.key('how').string()];
    const choice = /last|explanatory=-1|phrase/.test(how) ? LAST : FIRST;
    const set = setOf(kind, how);
    const facts = await recordedFacts(set, entry.key('image').string(), dataDir, choice);
    const dialogue = new LisaDialogue(how.startsWith('explanatory=-1') ? -1 : undefined);
    const lessons = dialogue.lessons(facts, new Scripted(choice, modeDraws(how)));
    const what = `${kind}, ${how}`;
    const turns = lessons.map((lesson) => lesson.turns);
    mismatches.compareTurns(what, turns, entry);
    if (!mismatches.hasMasks) continue;
    compareSize(mismatches.masks, what, facts, entry);
    const masks = lessons.flatMap(({ targets }) => targets.map(({ mask }) => mask));
    // Where polygons overlap the reference adds them, so that the mask is 2 there.
    mismatches.compareMasks(what, masks, entry, 'masks', '2');
  }
  return mismatches.items();
}

/** @param how begins with the name of the set */
function setOf(kind: DatasetKind, how: string): string {
  const [name = ''] = how.split(',');
  return { sem_seg: name, refer_seg: name, vqa: 'llava_instruct_150k', reason_seg: 'reason_seg' }[kind];
}

/** Draws that lead to the recorded mode: explanation alone or not, then with or without explanation. */
function modeDraws(how: string): number[] {
  if (how.startsWith('mode 0')) return [NOT_ALONE, FIRST];
  if (how.startsWith('mode 1')) return [NOT_ALONE, LAST];
  return how.startsWith('mode 2') ? [0] : [];
}

async function verifyValidation(splits: JsonPlace, style: ConversationStyle, dataDir: string): Promise<VerifyItem[]> {
  const mismatches = new LisaMismatches('validation', style);
  const dialogue = new LisaDialogue();
  for (const [name, entries] of splits.entries()) {
    const dataset = await openRecordedSplit(name, dataDir, { honourIgnore: true, asWritten: true });
    mismatches.texts.compare(`images of ${name}`, dataset.images.length, entries.array().length);
    for (const entry of entries.array()) {
      const path = entry.key('image').string();
      // The reference goes through a set of image ids, in an order of its own.
      const image = dataset.images.find((each) => recordedPath(dataDir, each.path) === path);
      mismatches.texts.compare(`image of ${name}`, image === undefined ? 'none' : path, path);
      if (image === undefined) continue;
      const targets = dataset.targets(image);
      const asked = targets.flatMap(({ expression, form }) => {
        return dialogue.exam([expression], ['found'], form ?? 'reference').map(({ turn }) => [turn]);
      });
      mismatches.compareTurns(`${name}, ${path}`, asked, entry);
      if (!mismatches.hasMasks) continue;
      compareSize(mismatches.masks, path, image, entry);
      const masks = targets.map(({ mask }) => mask);
      mismatches.compareMasks(path, masks, entry, 'masks');
      const ignored = targets.flatMap((target) => target.ignored ?? []);
      mismatches.compareMasks(`ignored of ${path}`, ignored, entry, '255');
    }
  }
  return mismatches.items();
}

function has(place: JsonPlace, key: string): boolean {
  return Object.hasOwn(place.value as object, key);
}
