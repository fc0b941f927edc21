/** Reading what is recorded of the datasets, and comparing masks and conversations with it. */
import { relative, sep } from 'node:path';

import { encodeMask, mergeRles, type Rle, rleArea, rleFromString } from '../data/masks/coco-mask.js';
import {
  type ConversationStyle,
  renderConversation,
  tokenizeConversation,
  type Turn,
} from '../data/text/conversation.js';
import type { JsonPlace } from '../data/annotation-files.js';
import type { Tokenizer } from '../data/text/tokenizer.js';
import { IMAGE_END_TOKEN, IMAGE_PLACEHOLDER, IMAGE_START_TOKEN } from '../special-tokens.js';
import type { BinaryMask } from '../types.js';
import { Mismatches, type VerifyItem } from './verify-item.js';

export const RECORDED_STYLES: readonly ConversationStyle[] = ['llava_v1', 'llava_llama_2'];

export function numbers(place: JsonPlace): number[] {
  return place.list().map((item) => item.number());
}

/** A path as the recording has it, with "/". */
export function recordedPath(dataDir: string, path: string): string {
  return relative(dataDir, path).split(sep).join('/');
}

/** Compares the masks of an image, one by one. */
export function compareMasks(into: Mismatches, what: string, masks: readonly BinaryMask[], recorded: JsonPlace): void {
  const entries = recorded.list();
  into.compare(`number of masks of ${what}`, masks.length, entries.length);
  for (const [i, entry] of entries.entries()) {
    const mask = masks[i];
    if (mask === undefined) continue;
    const [height = 0, width = 0] = numbers(entry.key('size'));
    compareRles(
      into,
      `mask ${i} of ${what}`,
      encodeMask(mask),
      rleFromString(entry.key('counts').text(), height, width),
    );
  }
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
    this.texts.compare(what, renderConversation(this.style, turns), only(entry.key('conversation')).text());
    this.ids.compare(`ids of ${what}`, inputIds.join(' '), numbers(only(entry.key('input_ids'))).join(' '));
    this.ids.compare(`labels of ${what}`, labels.join(' '), numbers(only(entry.key('labels'))).join(' '));
  }

  items(): VerifyItem[] {
    return [this.texts.item(), this.ids.item()];
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
  const [first, ...others] = place.list();
  if (first === undefined || others.length > 0) throw place.wrong('a list of one');
  return first;
}
