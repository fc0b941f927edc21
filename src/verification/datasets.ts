/**
 * Verifies text and data against a recording: expected_val.json has, for both conversation styles and the splits of
 * gRefCOCO, what the reference makes of each image for evaluation (text, ids, labels, masks, areas, the size for
 * F_V2); expected_polygons.json what pycocotools makes of random polygons. The miniature datasets stand in data/.
 */
import { join, relative, sep } from 'node:path';

import { polygonToRle } from '../data/coco-mask-polygon.js';
import { type Rle, mergeRles, rleArea, rleBox, rleFromString, rleToString, encodeMask } from '../data/coco-mask.js';
import { type ConversationStyle, renderConversation, tokenizeConversation } from '../data/conversation.js';
import { GRefCoco } from '../data/grefcoco.js';
import { resizeLongestSide } from '../data/image-transforms.js';
import { evaluationAnswer, evaluationQuestion } from '../data/prompts.js';
import { JsonPlace, readJsonFile } from '../data/refer-files.js';
import { Tokenizer } from '../data/tokenizer.js';
import { ADDED_TOKENS } from '../special-tokens.js';
import { Mismatches } from './mismatches.js';
import type { VerifyItem } from './verify-item.js';

const NAME = 'the recorded datasets';
const ADVICE = 'Use the recorded datasets folder (data/, expected_val.json and expected_polygons.json).';
const STYLES: readonly ConversationStyle[] = ['llava_v1', 'llava_llama_2'];
const SPLITS = ['val', 'testA', 'testB'] as const;
/** F_V2's side in the recording. */
const IMAGE_SIZE = 1024;

/**
 * Compares gRefCOCO's three evaluation splits in both styles, and the polygons.
 * @param tokenizerDir folder of the tokenizer that the recording was made with.
 * @throws UserError where a file or a part of it is missing.
 */
export function verifyDatasets(dir: string, tokenizerDir: string): Promise<VerifyItem[]> {
  return Promise.resolve().then(() => {
    const tokenizer = Tokenizer.fromDirectory(tokenizerDir);
    tokenizer.addTokens(ADDED_TOKENS);
    const expected = read(join(dir, 'expected_val.json'));
    const items = STYLES.flatMap((style) =>
      SPLITS.flatMap((split) => {
        const dataset = GRefCoco.open(join(dir, 'data'), split);
        return verifySplit(
          dataset,
          join(dir, 'data'),
          expected.key(style).key(`grefcoco|unc|${split}`),
          style,
          tokenizer,
        );
      }),
    );
    return [...items, ...verifyPolygons(read(join(dir, 'expected_polygons.json')))];
  });
}

function read(path: string): JsonPlace {
  return new JsonPlace(readJsonFile(NAME, path, ADVICE), NAME, path);
}

function verifySplit(
  dataset: GRefCoco,
  dataDir: string,
  expected: JsonPlace,
  style: ConversationStyle,
  tokenizer: Tokenizer,
): VerifyItem[] {
  const title = `grefcoco ${dataset.split}, ${style}`;
  const images = new Mismatches(`${title}: images and sizes`);
  const texts = new Mismatches(`${title}: text`);
  const ids = new Mismatches(`${title}: ids and labels`);
  const masks = new Mismatches(`${title}: mask pixels`);
  const areas = new Mismatches(`${title}: mask areas`);
  const entries = expected.list();
  images.compare('number of images', dataset.images.length, entries.length);
  for (const [i, entry] of entries.entries()) {
    const name = entry.key('image').text();
    const image = dataset.images[i];
    if (image === undefined) continue;
    images.compare(`image ${i}`, relative(dataDir, image.path).split(sep).join('/'), name);
    images.compare(
      `size of ${name}`,
      resizeLongestSide(image.height, image.width, IMAGE_SIZE).join(' × '),
      numbers(entry.key('resize')).join(' × '),
    );
    const targets = dataset.targets(image);
    const turn = {
      user: evaluationQuestion(targets.map((target) => target.expression)),
      assistant: evaluationAnswer(targets),
    };
    const { inputIds, labels } = tokenizeConversation(tokenizer, style, [turn]);
    texts.compare(name, renderConversation(style, [turn]), only(entry.key('conversation')).text());
    ids.compare(`ids of ${name}`, inputIds.join(' '), numbers(only(entry.key('input_ids'))).join(' '));
    ids.compare(`labels of ${name}`, labels.join(' '), numbers(only(entry.key('labels'))).join(' '));
    const recordedMasks = entry.key('masks').list();
    masks.compare(`number of masks of ${name}`, targets.length, recordedMasks.length);
    for (const [j, recorded] of recordedMasks.entries()) {
      const target = targets[j];
      if (target !== undefined)
        compareMask(masks, `${name}, ${target.expression}`, encodeMask(target.mask), rleAt(recorded));
    }
    areas.compare(
      name,
      targets.map((t) => rleArea(encodeMask(t.mask))).join(' '),
      numbers(entry.key('areas')).join(' '),
    );
  }
  return [images, texts, ids, masks, areas].map((mismatches) => mismatches.item());
}

function verifyPolygons(expected: JsonPlace): VerifyItem[] {
  const fills = new Mismatches('polygons: mask pixels');
  const strings = new Mismatches('polygons: compressed encoding');
  const unions = new Mismatches('polygons: union pixels');
  const figures = new Mismatches('polygons: area and box of the union');
  for (const [i, entry] of expected.list().entries()) {
    const [height, width] = [entry.key('height').integer(), entry.key('width').integer()];
    const rles = entry
      .key('polygons')
      .list()
      .map((polygon) => polygonToRle(numbers(polygon), height, width));
    const recorded = entry.key('rles').list();
    fills.compare(`number of polygons of case ${i}`, rles.length, recorded.length);
    for (const [j, counts] of recorded.entries()) {
      const rle = rles[j];
      if (rle === undefined) continue;
      compareMask(fills, `case ${i}, polygon ${j}`, rle, rleFromString(counts.text(), height, width));
      strings.compare(`case ${i}, polygon ${j}`, rleToString(rle), counts.text());
    }
    const union = mergeRles(rles);
    compareMask(unions, `case ${i}`, union, rleFromString(entry.key('union').text(), height, width));
    figures.compare(`area of case ${i}`, rleArea(union), entry.key('area').number());
    figures.compare(`box of case ${i}`, rleBox(union).join(' '), numbers(entry.key('bbox')).join(' '));
  }
  return [fills, strings, unions, figures].map((mismatches) => mismatches.item());
}

/** Counts the pixels in which two masks differ. */
function compareMask(into: Mismatches, what: string, found: Rle, expected: Rle): void {
  const sameSize = found.size[0] === expected.size[0] && found.size[1] === expected.size[1];
  const errors = sameSize
    ? rleArea(found) + rleArea(expected) - 2 * rleArea(mergeRles([found, expected], true))
    : Math.max(1, expected.size[0] * expected.size[1]);
  into.add(
    what,
    errors,
    sameSize ? `${errors} pixels differ` : `${found.size.join(' × ')}, expected ${expected.size.join(' × ')}`,
  );
}

function rleAt(place: JsonPlace): Rle {
  const [height = 0, width = 0] = numbers(place.key('size'));
  return rleFromString(place.key('counts').text(), height, width);
}

/** The one element of a list: each image has one conversation. */
function only(place: JsonPlace): JsonPlace {
  const [first, ...others] = place.list();
  if (first === undefined || others.length > 0) throw place.wrong('a list of one');
  return first;
}

function numbers(place: JsonPlace): number[] {
  return place.list().map((item) => item.number());
}
