/**
 * gRefCOCO in its published layout (GRES, Liu et al. 2023; reference: data/grefer.py):
 *
 *   <dataDir>/refer_seg/grefcoco/grefs(unc).json      sentences, annotation ids ([-1] for no target), split
 *   <dataDir>/refer_seg/grefcoco/instances.json       COCO's images and annotations
 *   <dataDir>/refer_seg/images/mscoco/images/train2014/*.jpg
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { UserError } from '../errors.js';
import { ReferDataset, type ReferRecord } from './refer-dataset.js';
import { JsonPlace, instancesFromJson, readJsonFile } from './refer-files.js';

export type GRefCocoSplit = 'train' | 'val' | 'testA' | 'testB';

const NAME = 'gRefCOCO';
const ADVICE =
  "Put the published files into <data>/refer_seg/grefcoco and COCO's train2014 into " +
  '<data>/refer_seg/images/mscoco/images/train2014, or make a small set with `gsva data synth`.';

export class GRefCoco extends ReferDataset {
  /**
   * Reads the annotations of one split; images are opened by whoever needs them.
   * @throws UserError where a file is missing or does not have the published form.
   */
  static open(dataDir: string, split: GRefCocoSplit): GRefCoco {
    const folder = join(dataDir, 'refer_seg', 'grefcoco');
    const imageDir = join(dataDir, 'refer_seg', 'images', 'mscoco', 'images', 'train2014');
    const recordsFile = join(folder, 'grefs(unc).json');
    const instancesFile = join(folder, 'instances.json');
    for (const path of [recordsFile, instancesFile, imageDir]) {
      if (!existsSync(path)) throw new UserError(`Reading ${NAME}: ${path} is missing. ${ADVICE}`);
    }
    const entries = new JsonPlace(readJsonFile(NAME, recordsFile, ADVICE), NAME, recordsFile).list();
    const splits = new Set<string>();
    const records: ReferRecord[] = [];
    for (const entry of entries) {
      const name = entry.key('split').text();
      splits.add(name);
      if (name === split) records.push(readRecord(entry));
    }
    if (records.length === 0) {
      throw new UserError(
        `Reading ${NAME}: ${recordsFile} has nothing of the split "${split}"; it has ${[...splits].slice(0, 8).join(', ') || 'none'}. ` +
          'Choose one of these or use the published file.',
      );
    }
    const root = new JsonPlace(readJsonFile(NAME, instancesFile, ADVICE), NAME, instancesFile);
    const instances = instancesFromJson(root, instancesFile);
    return new GRefCoco({ name: NAME, recordsFile, split, records, instances, imageDir });
  }
}

function readRecord(entry: JsonPlace): ReferRecord {
  const annotations = entry.key('ann_id');
  // The published file has lists throughout; the reference takes a single id as well.
  const ids = annotations.isList() ? annotations.list().map((id) => id.integer()) : [annotations.integer()];
  const noTarget = ids.every((id) => id === -1);
  if (!noTarget && ids.includes(-1)) throw annotations.wrong('annotation ids, or [-1] alone for no target');
  return {
    imageId: entry.key('image_id').integer(),
    annotationIds: noTarget ? [] : ids,
    sentences: entry
      .key('sentences')
      .list()
      .map((sentence) => sentence.key('sent').text()),
  };
}
