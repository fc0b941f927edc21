/**
 * Mapillary Vistas v2.0: street scenes; the label maps are palette PNGs whose indices count the labels of the
 * configuration.
 *
 *   <dataDir>/mapillary/config_v2.0.json               "labels", each with its "readable" name
 *   <dataDir>/mapillary/{training,validation}/v2.0/labels/*.png
 *   <dataDir>/mapillary/{training,validation}/images/*.jpg
 */
import { join } from 'node:path';

import { checkedClassName } from './class-name.js';
import type { NumberedClasses } from './label-map-classes.js';
import { LabelMapDataset, filesEndingIn } from './label-map-dataset.js';
import { JsonPlace, readJsonFile } from '../annotation-files.js';

export type MapillarySplit = 'training' | 'validation';

const NAME = 'Mapillary Vistas';
const ADVICE = 'Unpack the published archive (v2.0) into <data>/mapillary.';

/** All labels, in lower case, "unlabeled" too. @throws UserError for a bad configuration, or without label maps */
export function openMapillary(dataDir: string, split: MapillarySplit = 'training'): LabelMapDataset {
  const root = join(dataDir, 'mapillary');
  const labels = join(root, split, 'v2.0', 'labels');
  const classes = mapillaryClasses(dataDir);
  return new LabelMapDataset({
    name: NAME,
    classes,
    neverMarked: [],
    images: filesEndingIn('.png', labels, NAME, ADVICE).map((stem) => ({
      image: join(root, split, 'images', `${stem}.jpg`),
      labels: join(labels, `${stem}.png`),
    })),
  });
}

/** Classes by number, in lower case. @throws UserError where the configuration is missing or malformed */
export function mapillaryClasses(dataDir: string): NumberedClasses {
  const config = join(dataDir, 'mapillary', 'config_v2.0.json');
  return new JsonPlace(readJsonFile(NAME, config, ADVICE), NAME, config)
    .key('labels')
    .list()
    .map((label) => checkedClassName(label.key('readable')).toLowerCase());
}
