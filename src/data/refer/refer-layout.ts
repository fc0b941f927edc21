/**
 * The published folder layout that the referring datasets share (reference: data/refer.py, grefer.py, refzom.py):
 *
 *   <dataDir>/refer_seg/<folder>/<records>        a list of sentences, annotation ids and split: JSON or a pickle
 *   <dataDir>/refer_seg/<folder>/instances.json   images and annotations in COCO's form
 *   <dataDir>/refer_seg/images/<images>/…         the pictures
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { UserError } from '../../errors.js';
import type { ReferRecord, ReferSource, ReferSplit } from './refer-dataset.js';
import { JsonPlace, type TakePlace, readJsonRecords, readPickleFile } from '../annotation-files.js';
import { readInstances } from './refer-instances.js';
import { gsvaCommand } from '../../program.js';

export interface ReferLayout {
  readonly name: string;
  readonly folder: string;
  /** File of the records; one that ends in ".p" is a pickle. */
  readonly records: string;
  /** Folder of the pictures below refer_seg/images. */
  readonly images: string;
}

/** COCO's pictures, which most of these datasets are about. */
export const COCO_TRAIN_2014 = 'mscoco/images/train2014';

/** The published lists have up to 300,000; a pickle of a few bytes can name one of its texts as often as it likes. */
const MAX_SENTENCES = 5_000_000;

/** Annotations of one split, without pictures. @throws UserError where a file is missing or not as published */
export function readReferSource(
  dataDir: string,
  layout: ReferLayout,
  split: ReferSplit,
  imagePath?: ReferSource['imagePath'],
): ReferSource {
  const { name } = layout;
  const { recordsFile, instancesFile, imageDir } = filesOf(dataDir, layout);
  const records = readRecords(layout, recordsFile, split);
  return {
    name,
    recordsFile,
    split,
    records,
    instances: readInstances(name, instancesFile, adviceOf(layout), records),
    imagePath: imagePath ?? ((fileName) => join(imageDir, fileName)),
  };
}

/** Names of the splits in the records. @throws UserError as `readReferSource` */
export function readReferSplits(dataDir: string, layout: ReferLayout): ReadonlySet<string> {
  const splits = new Set<string>();
  forEachEntry(layout, filesOf(dataDir, layout).recordsFile, (entry) => splits.add(splitOf(entry)));
  return splits;
}

/** Whether a record belongs to a split, by the reference's rules: "testAB" is part of testA, testB and test. */
export function isInSplit(recorded: string, split: ReferSplit): boolean {
  switch (split) {
    case 'testA':
    case 'testB':
    case 'testC':
      return recorded.includes(split.slice(-1));
    case 'test':
      return recorded.includes('test');
    default:
      return recorded === split;
  }
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

function forEachEntry(layout: ReferLayout, recordsFile: string, take: TakePlace): void {
  const { name } = layout;
  const advice = adviceOf(layout);
  if (!recordsFile.endsWith('.p')) {
    readJsonRecords(name, recordsFile, advice, take);
    return;
  }
  const entries = new JsonPlace(readPickleFile(name, recordsFile, advice), name, recordsFile).list();
  for (const [index, entry] of entries.entries()) take(entry, index);
}

function splitOf(entry: JsonPlace): string {
  return entry.key('split').text();
}

function readRecords(layout: ReferLayout, recordsFile: string, split: ReferSplit): ReferRecord[] {
  const records: ReferRecord[] = [];
  const splits = new Set<string>();
  let sentences = 0;
  forEachEntry(layout, recordsFile, (entry, index) => {
    const recorded = splitOf(entry);
    splits.add(recorded);
    if (!isInSplit(recorded, split)) return;
    const record = readRecord(entry, index);
    sentences += record.sentences.length;
    if (sentences > MAX_SENTENCES) throw entry.wrong(`at most ${MAX_SENTENCES} sentences in all records`);
    records.push(record);
  });
  if (records.length > 0) return records;
  throw new UserError(
    `Reading ${layout.name}: ${recordsFile} has nothing of the split "${split}"; it has ` +
      `${[...splits].slice(0, 8).join(', ') || 'none'}. Choose one of these or use the published file.`,
  );
}

function readRecord(entry: JsonPlace, index: number): ReferRecord {
  const ids = annotationIds(entry);
  return {
    index,
    imageId: entry.key('image_id').integer(),
    annotationIds: ids,
    sentences: entry
      .key('sentences')
      .list()
      .map((sentence) => sentence.key('sent').text()),
  };
}

/** Annotations of a record: a list or one id; no target is [-1] (gRefCOCO) or []. @throws UserError for -1 among ids */
export function annotationIds(entry: JsonPlace): number[] {
  const annotations = entry.key('ann_id');
  const ids = annotations.isList() ? annotations.list().map((id) => id.integer()) : [annotations.integer()];
  const noTarget = ids.every((id) => id === -1);
  if (!noTarget && ids.includes(-1)) throw annotations.wrong('annotation ids, or [-1] alone for no target');
  return noTarget ? [] : ids;
}
