/** Every dataset of the paper, in the order of the published mixture's configuration, then those of evaluation alone. */
import type { CatalogueEntry } from './entry.js';
import { LLAVA_INSTRUCT, REASON_SEG } from './other-sets.js';
import { GREFCOCO, REFCLEF, REFCOCO, REFCOCO_PLUS, REFCOCOG, REFCOCOG_GOOGLE, REFZOM } from './refer-sets.js';
import { ADE20K, COCO_STUFF, MAPILLARY_VISTAS, PACO_LVIS, PASCAL_PART } from './sem-seg-sets.js';

export const CATALOGUE: readonly CatalogueEntry[] = [
  ...[ADE20K, COCO_STUFF, PASCAL_PART, PACO_LVIS, MAPILLARY_VISTAS],
  ...[REFCLEF, REFCOCO, REFCOCO_PLUS, REFCOCOG, GREFCOCO],
  ...[LLAVA_INSTRUCT, REASON_SEG],
  ...[REFCOCOG_GOOGLE, REFZOM],
];
