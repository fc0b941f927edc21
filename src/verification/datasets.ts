/**
 * Text and data against the reference's results on the miniature datasets in data/: evaluation splits, semantic
 * segmentation, LLaVA-Instruct and pycocotools' polygons.
 */
import { join } from 'node:path';
import type { JsonPlace } from '../data/annotation-files.js';
import type { EvaluatedDataset } from '../data/evaluated-dataset.js';
import { annotationToRle, polygonToRle } from '../data/masks/coco-mask-annotation.js';
import {
  decodeMask,
  encodeMask,
  mergeRles,
  rleArea,
  rleBox,
  rleFromString,
  rleToString,
} from '../data/masks/coco-mask.js';
import { type LabelMapDataset, openAde20k, openCocoStuff, openMapillary } from '../data/sem-seg/ade20k.js';
import { type AnnotatedDataset, openPacoLvis, openPascalPart } from '../data/sem-seg/annotated-dataset.js';
import { classMask, presentClasses } from '../data/sem-seg/label-maps.js';
import type { Turn } from '../data/text/conversation.js';
import { readTokenizer } from '../data/read-tokenizer.js';
import type { Tokenizer } from '../data/text/tokenizer.js';
import { openLlavaInstruct, turnsOf } from '../data/vqa/llava-instruct.js';
import { divide } from '../evaluation/conversations.js';
import { formOfProtocol, OWN_FORMS } from '../evaluation/metrics/gres-score.js';
import { readIndexPng } from '../io/image/index-png.js';
import { GsvaDialogue } from '../systems/gsva/dialogue.js';
import { ADDED_TOKENS } from '../systems/shared/decision-tokens.js';
import { GSVA_VARIANT } from '../systems/shared/variant.js';
import type { BinaryMask } from '../types.js';
import {
  compareMasks,
  compareRles,
  compareSize,
  ConversationMismatches,
  numbers,
  openRecorded,
  openRecordedSplit,
  RECORDED_STYLES,
  recordedPath,
  texts,
} from './datasets-recorded.js';
import { itemsOf, Mismatches, type VerifyItem } from './verify-item.js';

const ADVICE = 'Use the recorded datasets folder, with data/ and all of its expected_*.json.';

/** @param tokenizerDir of the recording's tokenizer @throws UserError where a file or a part of it is missing */
export async function verifyDatasets(dir: string, tokenizerDir: string): Promise<VerifyItem[]> {
  const tokenizer = readTokenizer(tokenizerDir);
  tokenizer.addTokens(ADDED_TOKENS);
  const dataDir = join(dir, 'data');
  const read = (file: string): JsonPlace => openRecorded('the recorded datasets', dir, file, ADVICE);
  return [
    ...(await verifyEvaluation(read('expected_val.json'), dataDir, tokenizer)),
    ...verifySemSeg(read('expected_semseg.json'), dataDir),
    ...verifyConversations(read('expected_vqa.json'), dataDir, tokenizer),
    ...verifyPolygons(read('expected_polygons.json')),
  ];
}

/** Splits by the recording's names. */
const SPLITS = [
  'grefcoco|unc|val',
  'grefcoco|unc|testA',
  'grefcoco|unc|testB',
  'refcoco|unc|val',
  'refcoco|unc|testA',
  'refcoco+|unc|testB',
  'refcocog|umd|val',
  'refcocog|umd|test',
  'refclef|unc|val',
  'refzom|final|test',
  'ReasonSeg|val',
  'ReasonSeg|test',
];
/** The recorded questions are GSVA's. */
const DIALOGUE = new GsvaDialogue(GSVA_VARIANT);

/** expected_val.json: each image of an evaluation split, in both conversation styles. */
async function verifyEvaluation(expected: JsonPlace, dataDir: string, tokenizer: Tokenizer): Promise<VerifyItem[]> {
  const items: VerifyItem[] = [];
  for (const name of SPLITS) {
    const dataset = await openRecordedSplit(name, dataDir, { honourIgnore: false });
    const images = dataset.images.map((image) => ({ image, ...askedOf(dataset.targets(image)) }));
    for (const style of RECORDED_STYLES) {
      const title = `${name}, ${style}`;
      const sizes = new Mismatches(`${title}: images and sizes`);
      const conversations = new ConversationMismatches(name, style, tokenizer);
      const pixels = new Mismatches(`${title}: mask pixels`);
      const areas = new Mismatches(`${title}: mask areas`);
      const entries = expected.key(style).key(name).list();
      sizes.compare('number of images', images.length, entries.length);
      for (const [i, entry] of entries.entries()) {
        const path = entry.key('image').text();
        const own = images[i];
        if (own === undefined) continue;
        sizes.compare(`image ${i}`, recordedPath(dataDir, own.image.path), path);
        compareSize(sizes, path, own.image, entry);
        conversations.compare(path, [own.turn], entry);
        compareMasks(pixels, path, own.masks, entry.key('masks'));
        const found = own.masks.map((mask) => rleArea(encodeMask(mask)));
        areas.compare(path, found, numbers(entry.key('areas')));
      }
      items.push(sizes.item(), ...conversations.items(), pixels.item(), areas.item());
    }
  }
  return items;
}

/** As `evaluate` asks: the questions of these splits are about all expressions of an image. */
function askedOf(targets: ReturnType<EvaluatedDataset['targets']>): {
  readonly turn: Turn;
  readonly masks: readonly BinaryMask[];
} {
  const { conversations } = divide(targets, OWN_FORMS, {
    asksAlone: (form) => DIALOGUE.asksAlone(form),
    refuse: () => null,
  });
  const [asked] = DIALOGUE.exam(
    targets.map(({ expression }) => expression),
    targets.map(({ isEmpty }) => (isEmpty ? 'absent' : 'found')),
    formOfProtocol('reference', conversations[0]?.form ?? OWN_FORMS),
  );
  return { turn: asked?.turn ?? { user: '', assistant: '' }, masks: targets.map(({ mask }) => mask) };
}

interface SegmentedImage {
  /** As the recording has it. */
  readonly path: string;
  /** One per mask: a class, or object and part joined by ":". */
  readonly classes: readonly string[];
  readonly masks: readonly BinaryMask[];
}

const SETS: Readonly<Record<string, (dataDir: string) => SegmentedImage[]>> = {
  ade20k: (dir) => labelled(openAde20k(dir), dir),
  cocostuff: (dir) => labelled(openCocoStuff(dir), dir),
  mapillary: (dir) => labelled(openMapillary(dir), dir),
  paco_lvis: (dir) => annotated(openPacoLvis(dir)),
  pascal_part: (dir) => annotated(openPascalPart(dir)),
};

/** expected_semseg.json: classes and masks of each image of the semantic-segmentation sets, after each set's rules. */
function verifySemSeg(expected: JsonPlace, dataDir: string): VerifyItem[] {
  return Object.entries(SETS).flatMap(([name, open]) => {
    const images = open(dataDir);
    const classes = new Mismatches(`${name}: images and classes`);
    const masks = new Mismatches(`${name}: mask pixels`);
    const entries = expected.key(name).list();
    classes.compare('number of images', images.length, entries.length);
    for (const [i, entry] of entries.entries()) {
      const path = entry.key('image').text();
      const image = images[i];
      if (image === undefined) continue;
      classes.compare(`image ${i}`, image.path, path);
      classes.compare(`classes of ${path}`, image.classes.join(', '), recordedClasses(entry).join(', '));
      compareMasks(masks, path, image.masks, entry.key('masks'));
    }
    return itemsOf(classes, masks);
  });
}

/** Label maps have "classes"; annotations "names", of which a part is a list of two. */
function recordedClasses(entry: JsonPlace): string[] {
  const hasClasses = Object.hasOwn(entry.value as object, 'classes');
  const names = entry.key(hasClasses ? 'classes' : 'names').list();
  return names.map((name) => (name.isList() ? texts(name).join(':') : name.text()));
}

function labelled(set: LabelMapDataset, dataDir: string): SegmentedImage[] {
  return set.images.map(({ image, labels }) => {
    const map = readIndexPng(labels);
    const present = presentClasses(map, set.classes, labels);
    return {
      path: recordedPath(dataDir, image),
      classes: present.map(({ name }) => name),
      masks: present.map(({ value }) => classMask(map, value)),
    };
  });
}

function annotated(set: AnnotatedDataset): SegmentedImage[] {
  return set.images.map(({ fileName }, i) => {
    const { annotations, height, width } = set.requestAt(i);
    const empty = { size: [height, width], counts: [height * width] } as const;
    return {
      path: fileName,
      classes: annotations.map(({ name }) => (typeof name === 'string' ? name : (name ?? []).join(':'))),
      masks: annotations.map(({ segmentation }) => decodeMask(annotationToRle(segmentation, height, width) ?? empty)),
    };
  });
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
    const polygons = entry.key('polygons').list();
    const rles = polygons.map((polygon) => polygonToRle(numbers(polygon), height, width));
    const recorded = texts(entry.key('rles'));
    fills.compare(`number of polygons of case ${i}`, rles.length, recorded.length);
    for (const [j, counts] of recorded.entries()) {
      const rle = rles[j];
      if (rle === undefined) continue;
      compareRles(fills, `case ${i}, polygon ${j}`, rle, rleFromString(counts, height, width));
      strings.compare(`case ${i}, polygon ${j}`, rleToString(rle), counts);
    }
    const union = mergeRles(rles);
    compareRles(unions, `case ${i}`, union, rleFromString(entry.key('union').text(), height, width));
    figures.compare(`area of case ${i}`, rleArea(union), entry.key('area').number());
    figures.compare(`box of case ${i}`, rleBox(union), numbers(entry.key('bbox')));
  }
  return itemsOf(fills, strings, unions, figures);
}
