/**
 * Audits of datasets in folders: pictures and label maps (ADE20K, COCO-Stuff, Mapillary Vistas) as complete pairs, with
 * maps in the form that the readers demand; and ReasonSeg.
 */
import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { messageOf } from '../../errors.js';
import { indexPngFault, pngFile, readIndexPng } from '../../io/image/index-png.js';
import { withImageBytes } from '../../io/image/image-source.js';
import { readRecords } from '../annotation-files.js';
import type { Figures, Part } from '../catalogue/entry.js';
import { readReasonAnnotation } from '../reason/reason-seg.js';
import { ADE20K_CLASSES, COCO_STUFF_CLASSES, mapillaryClasses } from '../sem-seg/ade20k.js';
import { type NumberedClasses, presentClasses } from '../sem-seg/label-maps.js';
import { ADVICE, type Audit, type ExpectedImage, type ProblemList } from './audit.js';

/** Label maps per split that are decoded, evenly spread: all of COCO-Stuff take an hour. */
const DECODED_MAPS = 2000;
/** Signature and header chunk of a PNG. */
const HEADER_BYTES = 64;

export const auditLabelMapSet: Audit = async ({ dataDir, entry, problems, images: checker, isThorough }) => {
  const splits: Record<string, Figures> = {};
  const classes = classesOf(entry.name, dataDir);
  const notes: string[] = [];
  const splitOfPicture = new Map<string, string>();
  const pictures = entry.parts.filter((part) => part.ending === '.jpg');
  const labels = entry.parts.filter((part) => part.ending === '.png');
  for (const [i, labelPart] of labels.entries()) {
    const picturePart = pictures[i] as Part;
    const split = splitName(labelPart);
    const [pictureDir, labelDir] = [join(dataDir, picturePart.path), join(dataDir, labelPart.path)];
    const pictureStems = stemsOf(pictureDir, '.jpg');
    const labelStems = stemsOf(labelDir, '.png');
    for (const stem of labelStems) {
      if (!pictureStems.has(stem))
        problems.add('missing image', `${join(pictureDir, `${stem}.jpg`)} (has a label map)`);
    }
    // Folders that others use too have pictures of their own.
    for (const stem of picturePart.isShared === true ? [] : pictureStems) {
      if (!labelStems.has(stem)) problems.add('broken reference', `${join(labelDir, `${stem}.png`)} is missing`);
    }
    const pairs = [...labelStems].filter((stem) => pictureStems.has(stem));
    splits[split] = { images: pairs.length };
    if (!isThorough) continue;
    for (const stem of pairs) {
      const other = splitOfPicture.get(stem);
      if (other !== undefined) problems.add('image in two splits', `${stem}.jpg is in ${other} and ${split}`);
      splitOfPicture.set(stem, split);
    }
    const maps = pairs.map((stem) => join(labelDir, `${stem}.png`));
    const expected = pairs.map((stem, at): ExpectedImage => {
      const labelMap = maps[at] as string;
      return { path: join(pictureDir, `${stem}.jpg`), size: labelMap, by: labelMap };
    });
    await checker.check(expected, problems);
    const decoded = await checkMaps(maps, classes, problems);
    if (decoded < maps.length) {
      notes.push(`${split}: class numbers were looked at in ${decoded} of ${maps.length} label maps, evenly spread`);
    }
  }
  return { splits, notes, images: Object.values(splits).reduce((sum, { images = 0 }) => sum + images, 0) };
};

function classesOf(name: string, dataDir: string): NumberedClasses {
  if (name === 'mapillary') return mapillaryClasses(dataDir);
  return name === 'ade20k' ? ADE20K_CLASSES : COCO_STUFF_CLASSES;
}

/** Looks at the form of all maps, and at the numbers of some. @returns how many were decoded */
export async function checkMaps(
  maps: readonly string[],
  classes: NumberedClasses,
  problems: ProblemList,
): Promise<number> {
  const step = Math.max(1, maps.length / DECODED_MAPS);
  let decoded = 0;
  for (const [index, path] of maps.entries()) {
    const isDrawn = index >= decoded * step;
    if (isDrawn) decoded++;
    // Between them others have their turn: Ctrl-C.
    if (isDrawn) await nextTurn();
    try {
      const fault = withImageBytes(path, (bytes) => indexPngFault(pngFile(bytes.at(0, HEADER_BYTES))));
      if (fault !== null) throw new Error(fault);
      if (isDrawn) presentClasses(readIndexPng(path), classes, path);
    } catch (error) {
      const fault = messageOf(error);
      problems.add('unusable label map', fault.includes(path) ? fault : `${path}: ${fault}`);
    }
  }
  return decoded;
}

/** ade20k/annotations/training → "training"; mapillary/training/v2.0/labels → "training"; cocostuff/train2017 → "train". */
function splitName(part: Part): string {
  const folder = part.path.includes('v2.0') ? 'training' : basename(part.path);
  return folder.replace(/\d+$/, '');
}

function stemsOf(folder: string, ending: string): Set<string> {
  const names = readdirSync(folder).filter((name) => name.endsWith(ending) && !name.startsWith('.'));
  return new Set(names.sort().map((name) => name.slice(0, -ending.length)));
}

const SPLITS = ['train', 'val', 'test'] as const;
const LEAST_POINTS = 3;

/** Looks through ReasonSeg: an annotation for each picture, with valid shapes. */
export const auditReasonSet: Audit = async ({ dataDir, problems, images: checker, isThorough }) => {
  const root = join(dataDir, 'reason_seg', 'ReasonSeg');
  const splits: Record<string, Figures> = {};
  const splitOf = new Map<string, string>();
  for (const split of SPLITS) {
    const folder = join(root, split);
    if (!existsSync(folder)) continue;
    const names = new Set(readdirSync(folder));
    const pictures = [...names].filter((name) => name.endsWith('.jpg')).sort();
    let expressions = 0;
    const expected: ExpectedImage[] = [];
    for (const picture of pictures) {
      const annotation = join(folder, picture.replace(/\.jpg$/, '.json'));
      expected.push({ path: join(folder, picture), size: null, by: split });
      if (existsSync(annotation)) problems.guard(() => (expressions += textsOf(annotation, problems)));
      else problems.add('broken reference', `${annotation} is missing next to ${picture}`);
      const other = splitOf.get(picture);
      if (other !== undefined) problems.add('image in two splits', `${picture} is in ${other} and ${split}`);
      splitOf.set(picture, split);
    }
    for (const name of [...names].filter((file) => file.endsWith('.json')).sort()) {
      const picture = name.replace(/\.json$/, '.jpg');
      if (!names.has(picture)) problems.add('missing image', `${join(folder, picture)} (has an annotation)`);
    }
    splits[split] = { images: pictures.length, expressions };
    if (isThorough) await checker.check(expected, problems);
  }
  checkExplanations(join(root, 'explanatory', 'train.json'), splitOf, problems);
  return { splits, images: splitOf.size };
};

function textsOf(path: string, problems: ProblemList): number {
  const { texts, shapes } = readReasonAnnotation(path);
  for (const { points } of shapes) {
    if (points.length >= LEAST_POINTS) continue;
    problems.add('invalid mask', `${path}: a shape has ${points.length} points; expected ${LEAST_POINTS} or more`);
  }
  if (!shapes.some(({ role }) => role === 'target')) problems.add('invalid mask', `${path} has no shape of the target`);
  return texts.length;
}

function checkExplanations(path: string, splitOf: ReadonlyMap<string, string>, problems: ProblemList): void {
  if (!existsSync(path)) return;
  const take = problems.guarded((record, index) => {
    const picture = record.key('image').string();
    if (splitOf.get(picture) === 'train') return;
    problems.add('broken reference', `record [${index}] of ${path}: ${picture} is no picture of train`);
  });
  readRecords('ReasonSeg', path, ADVICE, take);
}
