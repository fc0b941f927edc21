/** Looks through a dataset of pictures and label maps (ADE20K, COCO-Stuff, Mapillary Vistas): that they are pairs. */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';

import type { Figures, Part } from '../catalogue/entry.js';
import type { Audit } from './audit.js';
import type { ExpectedImage } from './image-checker.js';

export const auditLabelMapSet: Audit = async ({ dataDir, entry, problems, images: checker, isThorough }) => {
  const splits: Record<string, Figures> = {};
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
    if (picturePart.isShared !== true) {
      for (const stem of pictureStems) {
        if (!labelStems.has(stem)) problems.add('broken reference', `${join(labelDir, `${stem}.png`)} is missing`);
      }
    }
    const pairs = [...labelStems].filter((stem) => pictureStems.has(stem));
    splits[split] = { images: pairs.length };
    if (!isThorough) continue;
    for (const stem of pairs) {
      const other = splitOfPicture.get(stem);
      if (other !== undefined) problems.add('image in two splits', `${stem}.jpg is in ${other} and ${split}`);
      splitOfPicture.set(stem, split);
    }
    const expected = pairs.map((stem): ExpectedImage => {
      const labelMap = join(labelDir, `${stem}.png`);
      return { path: join(pictureDir, `${stem}.jpg`), size: labelMap, by: labelMap };
    });
    await checker.check(expected, problems);
  }
  return { splits, images: Object.values(splits).reduce((sum, { images = 0 }) => sum + images, 0) };
};

/** ade20k/annotations/training → "training"; mapillary/training/v2.0/labels → "training"; cocostuff/train2017 → "train". */
function splitName(part: Part): string {
  const folder = part.path.includes('v2.0') ? 'training' : basename(part.path);
  return folder.replace(/\d+$/, '');
}

function stemsOf(folder: string, ending: string): Set<string> {
  const names = readdirSync(folder).filter((name) => name.endsWith(ending) && !name.startsWith('.'));
  return new Set(names.sort().map((name) => name.slice(0, -ending.length)));
}
