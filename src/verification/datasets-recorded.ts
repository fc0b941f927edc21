/** Reading what is recorded of the datasets, and comparing masks and conversations with it. */
import { join, relative, sep } from 'node:path';
import { encodeMask, mergeRles, type Rle, rleArea, rleFromString } from '../data/masks/coco-mask.js';
import { renderConversation, tokenizeConversation } from '../data/text/conversation.js';
import type { ConversationStyle, Turn } from '../data/text/conversation.js';
import { JsonPlace, readJsonFile } from '../data/annotation-files.js';
import { openEvaluatedSet } from '../data/dataset-registry.js';
import type { Tokenizer } from '../data/text/tokenizer.js';
import { IMAGE_END_TOKEN, IMAGE_PLACEHOLDER, IMAGE_START_TOKEN } from '../special-tokens.js';
import { resizeLongestSide } from '../data/image/image-transforms.js';
import type { BinaryMask } from '../types.js';
import { itemsOf, Mismatches, type VerifyItem } from './verify-item.js';

/** Side of F_V2's input in the recording. */
const IMAGE_SIZE = 1024;
export const RECORDED_STYLES: readonly ConversationStyle[] = ['llava_v1', 'llava_llama_2'];

/** @param name what is recorded, and `advice`: for errors @throws UserError where the file cannot be read */
export function openRecorded(name: string, dir: string, file: string, advice: string): JsonPlace {
  const path = join(dir, file);
  return new JsonPlace(readJsonFile(name, path, advice), name, path);
}

/** @param name in the recording: set, who divided it (not of all), and split, joined by "|" */
export function openRecordedSplit(name: string, dataDir: string, options: Parameters<typeof openEvaluatedSet>[3]) {
  const [set = '', ...more] = name.split('|');
  return openEvaluatedSet(set === 'ReasonSeg' ? 'reason_seg' : set, dataDir, more.at(-1) ?? '', options);
}

export function numbers(place: JsonPlace): number[] {
  return place.array().map((item) => item.number());
}

export function texts(place: JsonPlace): string[] {
  return place.array().map((item) => item.string());
}

/** A recorded mask. */
export function recordedRle(entry: JsonPlace): Rle {
  const [height = 0, width = 0] = numbers(entry.key('size'));
  return rleFromString(entry.key('counts').string(), height, width);
}

/** A path as the recording has it, with "/". */
export function recordedPath(dataDir: string, path: string): string {
  return relative(dataDir, path).split(sep).join('/');
}

/** Compares the masks of an image, one by one. */
export function compareMasks(into: Mismatches, what: string, masks: readonly BinaryMask[], recorded: JsonPlace): void {
  const entries = recorded.array();
  into.compare(`number of masks of ${what}`, masks.length, entries.length);
  for (const [i, entry] of entries.entries()) {
    const mask = masks[i];
    if (mask !== undefined) compareRles(into, `mask ${i} of ${what}`, encodeMask(mask), recordedRle(entry));
  }
}

/** Compares the size of an image inside F_V2's input. */
export function compareSize(
  into: Mismatches,
  what: string,
  { height, width }: Pick<BinaryMask, 'height' | 'width'>,
  entry: JsonPlace,
): void {
  const resized = resizeLongestSide(height, width, IMAGE_SIZE).join(' × ');
  into.compare(`size of ${what}`, resized, numbers(entry.key('resize')).join(' × '));
}

/** Counts the pixels in which two masks differ. */
export function compareRles(into: Mismatches, what: string, found: Rle, expected: Rle): void {
  const sameSize = found.size[0] === expected.size[0] && found.size[1] === expected.size[1];
  const errors = sameSize
    ? rleArea(found) + rleArea(expected) - 2 * rleArea(mergeRles([found, expected], true))
    : Math.max(1, expected.size[0] * expected.size[1]);
  const sizes = `${found.size.join(' × ')}, expected ${expected.size.join(' × ')}`;
  into.add(what, errors, sameSize ? `${errors} pixels differ` : sizes);
}

/** Text, ids and labels of conversations in one style. */
export class ConversationMismatches {
  private readonly texts: Mismatches;
  private readonly ids: Mismatches;

  constructor(
    title: string,
    private readonly style: ConversationStyle,
    private readonly tokenizer: Tokenizer,
  ) {
    this.texts = new Mismatches(`${title}, ${style}: text`);
    this.ids = new Mismatches(`${title}, ${style}: ids and labels`);
  }

  /** @param entry with the one conversation of an image */
  compare(what: string, turns: readonly Turn[], entry: JsonPlace): void {
    const { inputIds, labels } = tokenizeConversation(this.tokenizer, this.style, turns);
    this.texts.compare(what, renderConversation(this.style, turns), only(entry.key('conversation')).string());
    this.ids.compare(`ids of ${what}`, inputIds, numbers(only(entry.key('input_ids'))));
    this.ids.compare(`labels of ${what}`, labels, numbers(only(entry.key('labels'))));
  }

  items(): VerifyItem[] {
    return itemsOf(this.texts, this.ids);
  }
}

/** Questions and answers of a recorded text. */
export function recordedTurns(style: ConversationStyle, text: string): Turn[] {
  const hole = '\0';
  const empty = { user: hole, assistant: hole };
  const [before = '', between = '', next = '', , end = ''] = renderConversation(style, [empty, empty]).split(hole);
  const marked = IMAGE_START_TOKEN + IMAGE_PLACEHOLDER + IMAGE_END_TOKEN;
  return text
    .replace(marked, IMAGE_PLACEHOLDER)
    .slice(before.length, -end.length)
    .split(next)
    .map((round) => {
      const [user = '', assistant = null] = round.split(between);
      return { user, assistant };
    });
}

function only(place: JsonPlace): JsonPlace {
  const [first, ...others] = place.array();
  if (first === undefined || others.length > 0) place.fail('a list of one');
  return first;
}
