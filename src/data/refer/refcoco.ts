/**
 * The published referring datasets, and the folder layout that they share (reference: data/refer.py, grefer.py,
 * refzom.py):
 *
 *   <dataDir>/refer_seg/<folder>/<records>        a list of sentences, annotation ids and split: JSON or a pickle
 *   <dataDir>/refer_seg/<folder>/instances.json   images and annotations in COCO's form
 *   <dataDir>/refer_seg/images/<images>/…         the pictures
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../errors.js';
import { gsvaCommand } from '../../program.js';
import { type JsonPlace, readJsonRecordLists, readRecords, RepeatedIds } from '../annotation-files.js';
import {
  ReferDataset,
  type ReferImageFile,
  type ReferInstances,
  type ReferRecord,
  type ReferSplit,
} from './refer-dataset.js';

/** Reader of a set: `open` the annotations of one split, without images; `splits` lists the names in the annotations. */
interface ReferSet<Split extends ReferSplit> {
  /** @throws UserError where a file is missing or not as published */
  open: (dataDir: string, split: Split) => ReferDataset;
  /** @throws UserError as `open` */
  splits: (dataDir: string) => ReadonlySet<string>;
}

function referSet<Split extends ReferSplit>(layout: ReferLayout): ReferSet<Split> {
  const { name } = layout;
  return {
    open: (dataDir, split) => {
      const { recordsFile, instancesFile, imageDir } = filesOf(dataDir, layout);
      const records = readSplit(layout, recordsFile, split);
      const instances = readInstances(name, instancesFile, adviceOf(layout), records);
      return new ReferDataset({ name, recordsFile, split, records, instances, imagePath: imagePaths(imageDir) });
    },
    splits: (dataDir) => {
      const splits = new Set<string>();
      readRecords(name, filesOf(dataDir, layout).recordsFile, adviceOf(layout), (entry) => {
        splits.add(entry.key('split').string());
      });
      return splits;
    },
  };
}

/** COCO's pictures, which most of these datasets are about. */
const COCO_TRAIN_2014 = 'mscoco/images/train2014';

export type GRefCocoSplit = 'train' | 'val' | 'testA' | 'testB';

/** gRefCOCO (GRES, Liu et al. 2023; reference: data/grefer.py): expressions about one object, several or none. */
export const GRefCoco = referSet<GRefCocoSplit>({
  name: 'gRefCOCO',
  folder: 'grefcoco',
  records: 'grefs(unc).json',
  images: COCO_TRAIN_2014,
});

/**
 * Ref-ZOM (Hu et al. 2023, "Beyond One-to-One"; reference: data/refzom.py): expressions about one object, many or none,
 * in a Python 3 pickle.
 */
export const RefZom = referSet<'train' | 'test'>({
  name: 'Ref-ZOM',
  folder: 'refzom',
  records: 'Ref_ZOM.p',
  images: COCO_TRAIN_2014,
});

/** By whom the sets were divided into splits; of RefCOCOg, GSVA uses UMD's division, of the others UNC's. */
interface RefCocoDivisions {
  refcoco: 'unc' | 'google';
  'refcoco+': 'unc';
  refcocog: 'umd' | 'google';
  refclef: 'unc' | 'berkeley';
}

const NAMES = { refcoco: 'RefCOCO', 'refcoco+': 'RefCOCO+', refcocog: 'RefCOCOg', refclef: 'RefCLEF' } as const;

/**
 * RefCOCO, RefCOCO+ (Yu et al. 2016), RefCOCOg (Mao et al. 2016) and RefCLEF (Kazemzadeh et al. 2014) in the layout of
 * the REFER toolkit (reference: data/refer.py): expressions about one object each. Records are Python 2 pickles,
 * refer_seg/<set>/refs(<who divided it>).p; RefCLEF's pictures are those of SAIAPR TC-12.
 */
export function refCoco<S extends keyof RefCocoDivisions>(set: S, division: RefCocoDivisions[S]): ReferSet<ReferSplit> {
  return referSet({
    name: `${NAMES[set]} (${division})`,
    folder: set,
    records: `refs(${division}).p`,
    images: set === 'refclef' ? 'saiapr_tc-12' : COCO_TRAIN_2014,
  });
}

interface ReferLayout {
  readonly name: string;
  readonly folder: string;
  /** File of the records; one that ends in ".p" is a pickle. */
  readonly records: string;
  /** Folder of the pictures below refer_seg/images. */
  readonly images: string;
}

/** The published lists have up to 300,000; a pickle of a few bytes can name one of its texts as often as it likes. */
const MAX_SENTENCES = 5_000_000;

/** Paths of a folder's pictures by name. COCO's of val2014 (Ref-ZOM) lie next to those of train2014, or among them. */
export function imagePaths(folder: string): (fileName: string) => string {
  const val = join(folder, '..', 'val2014');
  const valDir = existsSync(val) ? val : folder;
  return (fileName) => join(fileName.startsWith('COCO_val2014_') ? valDir : folder, fileName);
}

/** Whether a record belongs to a split, by the reference's rules: "testAB" is part of testA, testB and test. */
export function isInSplit(recorded: string, split: ReferSplit): boolean {
  if (/^test[ABC]$/.test(split)) return recorded.includes(split.slice(-1));
  return split === 'test' ? recorded.includes('test') : recorded === split;
}

/** @throws UserError where one is missing */
function filesOf(dataDir: string, layout: ReferLayout): Record<'recordsFile' | 'instancesFile' | 'imageDir', string> {
  const root = join(dataDir, 'refer_seg');
  const files = {
    recordsFile: join(root, layout.folder, layout.records),
    instancesFile: join(root, layout.folder, 'instances.json'),
    imageDir: join(root, 'images', layout.images),
  };
  for (const path of Object.values(files)) {
    if (!existsSync(path)) throw new UserError(`Reading ${layout.name}: ${path} is missing. ${adviceOf(layout)}`);
  }
  return files;
}

function adviceOf({ folder, images }: ReferLayout): string {
  const synthetic =
    folder === 'grefcoco' ? `, or make a small set with \`${gsvaCommand('data synth --out FOLDER')}\`` : '';
  return (
    `Put the published files into <data>/refer_seg/${folder} and the pictures into ` +
    `<data>/refer_seg/images/${images}${synthetic}.`
  );
}

function readSplit(layout: ReferLayout, recordsFile: string, split: ReferSplit): ReferRecord[] {
  const records: ReferRecord[] = [];
  const splits = new Set<string>();
  let total = 0;
  readRecords(layout.name, recordsFile, adviceOf(layout), (entry, index) => {
    const recorded = entry.key('split').string();
    splits.add(recorded);
    if (!isInSplit(recorded, split)) return;
    const ids = annotationIds(entry);
    const imageId = entry.key('image_id').integer();
    const sentences = entry.key('sentences').array();
    total += sentences.length;
    if (total > MAX_SENTENCES) entry.fail(`at most ${MAX_SENTENCES} sentences in all records`);
    const texts = sentences.map((sentence) => sentence.key('sent').string());
    records.push({ index, imageId, annotationIds: ids, sentences: texts });
  });
  if (records.length > 0) return records;
  throw new UserError(
    `Reading ${layout.name}: ${recordsFile} has nothing of the split "${split}"; it has ` +
      `${[...splits].slice(0, 8).join(', ') || 'none'}. Choose one of these or use the published file.`,
  );
}

/** Annotations of a record: a list or one id; no target is [-1] (gRefCOCO) or []. @throws UserError for -1 among ids */
export function annotationIds(entry: JsonPlace): number[] {
  const annotations = entry.key('ann_id');
  const ids = annotations.isList() ? annotations.array().map((id) => id.integer()) : [annotations.integer()];
  const noTarget = ids.every((id) => id === -1);
  if (!noTarget && ids.includes(-1)) annotations.fail('annotation ids, or [-1] alone for no target');
  return noTarget ? [] : ids;
}

/** `images` and `annotations` of a COCO instances file that `records` need: all of COCO takes several hundred MB. */
function readInstances(name: string, path: string, advice: string, records: readonly ReferRecord[]): ReferInstances {
  const wantedImages = new Set(records.map(({ imageId }) => imageId));
  const wantedAnnotations = new Set(records.flatMap(({ annotationIds: ids }) => ids));
  const images = new Map<number, ReferImageFile>();
  const segmentations = new Map<number, unknown>();
  const [imageIds, idsOfMasks] = [new RepeatedIds('images'), new RepeatedIds('annotations')];
  readJsonRecordLists(name, path, advice, {
    images: (image, index) => {
      const id = image.key('id').integer();
      if (!wantedImages.has(id) || !imageIds.add(id, index, image.value)) return;
      images.set(id, { fileName: image.key('file_name').fileName(), ...image.size() });
    },
    annotations: (annotation, index) => {
      const id = annotation.key('id').integer();
      if (!wantedAnnotations.has(id) || !idsOfMasks.add(id, index, annotation.value)) return;
      segmentations.set(id, annotation.key('segmentation').value);
    },
  });
  const [fault] = [...imageIds.faults, ...idsOfMasks.faults];
  if (fault !== undefined) {
    throw new UserError(`Reading ${name}: ${path}: ${fault}. Which is meant cannot be known; ${advice}`);
  }
  return { source: path, images, segmentations };
}
