/** expected_semseg.json: classes and masks of each image of the semantic-segmentation sets, after each set's rules. */
import { type LabelMapDataset, openAde20k, openCocoStuff, openMapillary } from '../data/sem-seg/ade20k.js';
import { type AnnotatedDataset, openPacoLvis, openPascalPart } from '../data/sem-seg/annotated-dataset.js';
import { annotationToRle } from '../data/masks/coco-mask-annotation.js';
import { decodeMask } from '../data/masks/coco-mask.js';
import { classMask, presentClasses } from '../data/sem-seg/label-maps.js';
import type { JsonPlace } from '../data/annotation-files.js';
import { readIndexPng } from '../io/image/index-png.js';
import type { BinaryMask } from '../types.js';
import { compareMasks, recordedPath } from './datasets-recorded.js';
import { Mismatches, type VerifyItem } from './verify-item.js';

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

/** @throws UserError where a set or a file is missing */
export function verifySemSeg(expected: JsonPlace, dataDir: string): VerifyItem[] {
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
    return [classes.item(), masks.item()];
  });
}

/** Label maps have "classes"; annotations "names", of which a part is a list of two. */
function recordedClasses(entry: JsonPlace): string[] {
  const hasClasses = Object.hasOwn(entry.value as object, 'classes');
  return entry
    .key(hasClasses ? 'classes' : 'names')
    .list()
    .map((name) => {
      const texts = name.isList() ? name.list().map((part) => part.text()) : [name.text()];
      return texts.join(':');
    });
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
