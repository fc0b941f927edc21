/** Sets of PASCAL VOC's layout on which an open vocabulary is measured. */
import { LISTED_SETS, type ListedName } from '../sem-seg/listed-maps.js';
import { type CatalogueEntry, GB, labelMaps, pictures } from './entry.js';

const VOC_2012 = 'http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar';
const VOC_2010 = 'http://host.robots.ox.ac.uk/pascal/VOC/voc2010/VOCtrainval_03-May-2010.tar';
const CONTEXT =
  'https://github.com/open-mmlab/mmsegmentation/blob/main/docs/en/user_guides/2_dataset_prepare.md#pascal-context';

interface Source {
  readonly pictures: string;
  readonly labels: string;
  /** Label maps of all splits. */
  readonly maps: number;
  readonly val: number;
  readonly by: string;
}

function entry(name: ListedName, source: Source): CatalogueEntry {
  const { title, root, labels, lists } = LISTED_SETS[name];
  return {
    name,
    title,
    kind: 'sem_seg',
    parts: [
      { path: `${root}/${lists}/val.txt`, holds: 'names of the pictures', count: source.val, source: source.labels },
      labelMaps(`${root}/${labels}`, source.labels, source.maps),
      { ...pictures(`${root}/JPEGImages`, source.pictures), bytes: 2 * GB, isShared: true },
    ],
    published: { total: { images: source.val }, splits: { val: { images: source.val } }, by: source.by },
  };
}

const VOC: Source = { pictures: VOC_2012, labels: VOC_2012, maps: 2_913, val: 1_449, by: 'PASCAL VOC 2012 (its list)' };

export const LISTED_ENTRIES: readonly CatalogueEntry[] = [
  entry('voc20', VOC),
  entry('voc21', VOC),
  entry('pc59', { pictures: VOC_2010, labels: CONTEXT, maps: 10_103, val: 5_105, by: 'Mottaghi et al. 2014' }),
];
