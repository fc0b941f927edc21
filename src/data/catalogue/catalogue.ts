import { COCO_TRAIN_2017, type CatalogueEntry, MB } from './entry.js';
import { GREFCOCO, REFCLEF, REFCOCO, REFCOCO_PLUS, REFCOCOG, REFCOCOG_GOOGLE, REFZOM } from './refer-sets.js';
import { ADE20K, COCO_STUFF, MAPILLARY_VISTAS, PACO_LVIS, PASCAL_PART } from './sem-seg-sets.js';

const LLAVA_INSTRUCT: CatalogueEntry = {
  name: 'llava_instruct_150k',
  title: 'LLaVA-Instruct-150K',
  kind: 'vqa',
  parts: [
    {
      path: 'llava_dataset/llava_instruct_150k.json',
      holds: 'conversations',
      count: 157_712,
      bytes: 229 * MB,
      source: 'https://huggingface.co/datasets/liuhaotian/LLaVA-Instruct-150K/blob/main/llava_instruct_150k.json',
    },
    COCO_TRAIN_2017,
  ],
  published: {
    total: { images: 81_479, conversations: 157_712 },
    splits: { train: { images: 81_479, conversations: 157_712 } },
    by: 'users of the published file; the authors say "158K"',
  },
};

const REASON_SEG_FOLDER = 'https://github.com/dvlab-research/LISA#dataset';
const ROOT = 'reason_seg/ReasonSeg';

const REASON_SEG: CatalogueEntry = {
  name: 'reason_seg',
  title: 'ReasonSeg',
  kind: 'reason_seg',
  parts: [
    ...(
      [
        ['train', 239],
        ['val', 200],
        ['test', 779],
      ] as const
    ).flatMap(([split, count]) => {
      const part = { path: `${ROOT}/${split}`, count, source: REASON_SEG_FOLDER };
      const optional = split === 'test' ? { isOptional: 'only to be evaluated on' } : {};
      return [
        { ...part, ending: '.jpg' as const, holds: 'pictures', ...optional },
        { ...part, ending: '.json' as const, holds: 'annotations', ...optional },
      ];
    }),
    { path: `${ROOT}/explanatory/train.json`, holds: 'explanations', source: REASON_SEG_FOLDER },
  ],
  published: {
    total: { images: 1_218 },
    splits: { train: { images: 239 }, val: { images: 200 }, test: { images: 779 } },
    by: 'LISA (README)',
  },
};

/** In the order of the published mixture's configuration, then those of evaluation alone. */
export const CATALOGUE: readonly CatalogueEntry[] = [
  ...[ADE20K, COCO_STUFF, PASCAL_PART, PACO_LVIS, MAPILLARY_VISTAS],
  ...[REFCLEF, REFCOCO, REFCOCO_PLUS, REFCOCOG, GREFCOCO],
  ...[LLAVA_INSTRUCT, REASON_SEG],
  ...[REFCOCOG_GOOGLE, REFZOM],
];
