/** Audit of the sets of PASCAL VOC's layout: a picture and a sound label map for each name of a list. */
import { existsSync } from 'node:fs';
import { UserError } from '../../errors.js';
import type { Figures } from '../catalogue/entry.js';
import { isListedName, LISTED_SPLITS, openListedMaps } from '../sem-seg/listed-maps.js';
import type { Audit, ExpectedImage } from './audit.js';
import { checkMaps } from './folder-audits.js';

export const auditListedMaps: Audit = async ({ dataDir, entry, problems, images: checker, isThorough }) => {
  const { name } = entry;
  if (!isListedName(name)) throw new UserError(`Auditing: ${name} has no lists of pictures.`);
  const splits: Record<string, Figures> = {};
  const notes: string[] = [];
  for (const split of LISTED_SPLITS) {
    const { images, classes } = openListedMaps(name, dataDir, split);
    const mapped = images.filter(({ image, labels }) => {
      if (existsSync(labels)) return true;
      problems.add('broken reference', `${labels} is missing (${image} is listed)`);
      return false;
    });
    const pairs = mapped.filter(({ image, labels }) => {
      if (existsSync(image)) return true;
      problems.add('missing image', `${image} (has the label map ${labels})`);
      return false;
    });
    splits[split] = { images: pairs.length };
    if (!isThorough) continue;
    const expected = pairs.map(({ image, labels }): ExpectedImage => ({ path: image, size: labels, by: labels }));
    await checker.check(expected, problems);
    const maps = pairs.map(({ labels }) => labels);
    const decoded = await checkMaps(maps, classes, problems);
    if (decoded < maps.length) {
      notes.push(`${split}: class numbers were looked at in ${decoded} of ${maps.length} label maps, evenly spread`);
    }
  }
  return { splits, notes, images: Object.values(splits).reduce((sum, { images = 0 }) => sum + images, 0) };
};
