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
    const { recordsFile, instancesFile, imageDir } = filesOf(dataDir);
    const entries = readEntries(recordsFile);
    const records = entries.filter((entry) => splitOf(entry) === split).map(readRecord);
    if (records.length === 0) {
      const splits = [...new Set(entries.map(splitOf))];
      throw new UserError(
        `Reading ${NAME}: ${recordsFile} has nothing of the split "${split}"; it has ${splits.slice(0, 8).join(', ') || 'none'}. ` +
          'Choose one of these or use the published file.',
      );
    }
    const root = new JsonPlace(readJsonFile(NAME, instancesFile, ADVICE), NAME, instancesFile);
    const instances = instancesFromJson(root, instancesFile);
    return new GRefCoco({ name: NAME, recordsFile, split, records, instances, imageDir });
  }

  /**
   * Names of the splits that the annotations have.
   * @throws UserError as `open` does
   */
  static splits(dataDir: string): ReadonlySet<string> {
    return new Set(readEntries(filesOf(dataDir).recordsFile).map(splitOf));
  }
}

/** @throws UserError where one is missing */
function filesOf(dataDir: string): { recordsFile: string; instancesFile: string; imageDir: string } {
  const folder = join(dataDir, 'refer_seg', 'grefcoco');
  const files = {
    recordsFile: join(folder, 'grefs(unc).json'),
    instancesFile: join(folder, 'instances.json'),
    imageDir: join(dataDir, 'refer_seg', 'images', 'mscoco', 'images', 'train2014'),
  };
  for (const path of Object.values(files)) {
    if (!existsSync(path)) throw new UserError(`Reading ${NAME}: ${path} is missing. ${ADVICE}`);
  }
  return files;
}

function readEntries(recordsFile: string): JsonPlace[] {
  return new JsonPlace(readJsonFile(NAME, recordsFile, ADVICE), NAME, recordsFile).list();
}

function splitOf(entry: JsonPlace): string {
  return entry.key('split').text();
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
