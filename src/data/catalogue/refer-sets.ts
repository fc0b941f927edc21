/**
 * The referring datasets. RefCOCO's zips moved; LISA's README keeps working addresses. Source of images per split and
 * of expressions without another source: the catalogue of TensorFlow Datasets, "ref_coco".
 */
import { COCO_TRAIN_2014, COCO_VAL_2014, type CatalogueEntry, type Part, pictures } from './entry.js';

const ARCHIVE = 'https://web.archive.org/web';
const UNC = 'https://bvisionweb1.cs.unc.edu/licheng/referit/data';

function referSet(name: string, title: string, parts: readonly Part[], published: CatalogueEntry['published']) {
  return { name, title, kind: 'refer_seg' as const, parts, published };
}

/** The two annotation files of a folder of refer_seg, and the pictures. */
function partsOf(folder: string, records: string, count: number | undefined, source: string, images = COCO_TRAIN_2014) {
  const root = `refer_seg/${folder}`;
  return [
    { path: `${root}/${records}`, holds: 'expressions', source, ...(count === undefined ? {} : { count }) },
    { path: `${root}/instances.json`, holds: 'images and masks', source },
    images,
  ];
}

export const REFCOCO = referSet(
  'refcoco',
  'RefCOCO (UNC)',
  partsOf('refcoco', 'refs(unc).p', 50_000, `${ARCHIVE}/20220413011718/${UNC}/refcoco.zip`),
  {
    total: { images: 19_994, expressions: 142_209, objects: 50_000 },
    splits: {
      train: { images: 16_994, expressions: 120_624, objects: 42_404 },
      val: { images: 1_500, expressions: 10_834, objects: 3_811 },
      testA: { images: 750, expressions: 5_657, objects: 1_975 },
      testB: { images: 750, expressions: 5_095, objects: 1_810 },
    },
    by: 'Yu et al. 2016; splits: TensorFlow Datasets, their expressions: FlagEval',
  },
);

export const REFCOCO_PLUS = referSet(
  'refcoco+',
  'RefCOCO+ (UNC)',
  partsOf('refcoco+', 'refs(unc).p', 49_856, `${ARCHIVE}/20220413011656/${UNC}/refcoco+.zip`),
  {
    total: { images: 19_992, expressions: 141_564, objects: 49_856 },
    splits: {
      train: { images: 16_992, objects: 42_278 },
      val: { images: 1_500, objects: 3_805 },
      testA: { images: 750, objects: 1_975 },
      testB: { images: 750, objects: 1_798 },
    },
    by: 'Yu et al. 2016; splits: TensorFlow Datasets',
  },
);

const REFCOCOG_ZIP = `${ARCHIVE}/20220413012904/${UNC}/refcocog.zip`;

export const REFCOCOG = referSet(
  'refcocog',
  'RefCOCOg (UMD)',
  partsOf('refcocog', 'refs(umd).p', 49_822, REFCOCOG_ZIP),
  {
    total: { images: 25_799, objects: 49_822 },
    splits: {
      train: { images: 21_899, objects: 42_226 },
      val: { images: 1_300, objects: 2_573 },
      test: { images: 2_600, objects: 5_023 },
    },
    by: 'Nagaraja et al. 2016, by TensorFlow Datasets',
  },
);

export const REFCOCOG_GOOGLE = referSet(
  'refcocog-google',
  'RefCOCOg (Google)',
  // The other division has the same instances.json.
  partsOf('refcocog', 'refs(google).p', 49_822, REFCOCOG_ZIP).map((part): Part => {
    return part.path.endsWith('.p') ? part : { ...part, isShared: true };
  }),
  {
    total: { objects: 49_822 },
    splits: { train: { images: 24_698, objects: 44_822 }, val: { images: 4_650, objects: 5_000 } },
    by: 'Mao et al. 2016, by TensorFlow Datasets',
  },
);

export const REFCLEF = referSet(
  'refclef',
  'RefCLEF (UNC)',
  partsOf(
    'refclef',
    'refs(unc).p',
    undefined,
    `${ARCHIVE}/20220413011817/${UNC}/refclef.zip`,
    pictures(
      'refer_seg/images/saiapr_tc-12',
      `${ARCHIVE}/20220515000000/http://bvisionweb1.cs.unc.edu/licheng/referit/data/images/saiapr_tc-12.zip`,
      19_997,
    ),
  ),
  {
    total: { images: 19_894, expressions: 130_525, objects: 96_654 },
    splits: {},
    by: 'Kazemzadeh et al. 2014, before it was cleaned',
  },
);

export const GREFCOCO = referSet(
  'grefcoco',
  'gRefCOCO (UNC)',
  partsOf('grefcoco', 'grefs(unc).json', undefined, 'https://github.com/henghuiding/gRefCOCO#download'),
  {
    total: { images: 19_994, expressions: 278_232, multiTarget: 80_022, noTarget: 32_202 },
    splits: { train: { images: 16_994 }, val: { images: 1_500 }, testA: { images: 750 }, testB: { images: 750 } },
    by: 'GSVA, section 4.1; splits as RefCOCO',
  },
);

export const REFZOM = referSet(
  'refzom',
  'Ref-ZOM',
  [...partsOf('refzom', 'Ref_ZOM.p', undefined, 'https://github.com/toggle1995/RIS-DMMI#dataset'), COCO_VAL_2014],
  {
    total: { images: 55_075, expressions: 90_199, multiTarget: 21_290, noTarget: 11_937, objects: 74_942 },
    splits: { train: { images: 43_749 }, test: { images: 11_329 } },
    by: 'GSVA, appendix C (56,972 + 21,290 + 11,937 expressions)',
  },
);
