/**
 * Text and data against the reference's results on the miniature datasets in data/: evaluation splits, semantic
 * segmentation, LLaVA-Instruct and pycocotools' polygons.
 */
import { join } from 'node:path';
import { JsonPlace, readJsonFile } from '../data/annotation-files.js';
import { polygonToRle } from '../data/masks/coco-mask-annotation.js';
import { mergeRles, rleArea, rleBox, rleFromString, rleToString } from '../data/masks/coco-mask.js';
import { Tokenizer } from '../data/text/tokenizer.js';
import { openLlavaInstruct, turnsOf } from '../data/vqa/llava-instruct.js';
import { ADDED_TOKENS } from '../systems/shared/decision-tokens.js';
import { verifyEvaluation } from './datasets-evaluation.js';
import { compareRles, ConversationMismatches, numbers, RECORDED_STYLES } from './datasets-recorded.js';
import { verifySemSeg } from './datasets-sem-seg.js';
import { Mismatches, type VerifyItem } from './verify-item.js';

const NAME = 'the recorded datasets';
const ADVICE = 'Use the recorded datasets folder, with data/ and all of its expected_*.json.';

/** @param tokenizerDir of the recording's tokenizer @throws UserError where a file or a part of it is missing */
export async function verifyDatasets(dir: string, tokenizerDir: string): Promise<VerifyItem[]> {
  const tokenizer = Tokenizer.fromDirectory(tokenizerDir);
  tokenizer.addTokens(ADDED_TOKENS);
  const dataDir = join(dir, 'data');
  return [
    ...(await verifyEvaluation(read(dir, 'expected_val.json'), dataDir, tokenizer)),
    ...verifySemSeg(read(dir, 'expected_semseg.json'), dataDir),
    ...verifyConversations(read(dir, 'expected_vqa.json'), dataDir, tokenizer),
    ...verifyPolygons(read(dir, 'expected_polygons.json')),
  ];
}

function read(dir: string, file: string): JsonPlace {
  const path = join(dir, file);
  return new JsonPlace(readJsonFile(NAME, path, ADVICE), NAME, path);
}

const TITLE = 'llava_instruct_150k';

/** @throws UserError where a style or a file is missing */
function verifyConversations(expected: JsonPlace, dataDir: string, tokenizer: Tokenizer): VerifyItem[] {
  const set = openLlavaInstruct(dataDir);
  return RECORDED_STYLES.flatMap((style) => {
    const counts = new Mismatches(`${TITLE}, ${style}: number of conversations`);
    const conversations = new ConversationMismatches(TITLE, style, tokenizer);
    const entries = expected.key(style).list();
    counts.compare('conversations', set.length, entries.length);
    for (const [i, entry] of entries.entries()) {
      if (i < set.length) conversations.compare(`conversation ${i}`, turnsOf(set.requestAt(i)), entry);
    }
    return [counts.item(), ...conversations.items()];
  });
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
      compareRles(fills, `case ${i}, polygon ${j}`, rle, rleFromString(counts.text(), height, width));
      strings.compare(`case ${i}, polygon ${j}`, rleToString(rle), counts.text());
    }
    const union = mergeRles(rles);
    compareRles(unions, `case ${i}`, union, rleFromString(entry.key('union').text(), height, width));
    figures.compare(`area of case ${i}`, rleArea(union), entry.key('area').number());
    figures.compare(`box of case ${i}`, rleBox(union).join(' '), numbers(entry.key('bbox')).join(' '));
  }
  return [fills, strings, unions, figures].map((mismatches) => mismatches.item());
}
