/**
 * The checkpoints of the paper: three models, each pretrained and fine-tuned. The authors' README links to two folders and
 * names two files of them; where neither they nor anybody who uses the files names one, that is said.
 */
import type { Backbone, LoggedFigures, PackagedModel, ReleasedModel } from './entry.js';
import { CLIP_L14, LLAVA_13B, LLAVA_7B, LLAVA_LLAMA_2_13B, SAM_VIT_H } from './pieces.js';

/** Folders of the released files; their README links to both. */
export const RELEASE = {
  readme: 'https://github.com/LeapLabTHU/GSVA#download-model-weights',
  folders: [
    'https://1drv.ms/f/s!ApI0vb6wPqmtku1kOKbVTJkwa6jG_Q?e=vaG9Gj',
    'https://cloud.tsinghua.edu.cn/d/1423fb16fdb9445e8155/',
  ],
  licence: 'not published (the repository has no licence)',
} as const;

/** B: the encoders of every model. */
const ENCODERS = { clip: CLIP_L14, sam: SAM_VIT_H } as const;

const VICUNA_7B: Backbone = {
  ...ENCODERS,
  name: 'vicuna-7b',
  title: 'GSVA-Vicuna-7B',
  conversation: 'llava_v1',
  loraRank: 8,
  hiddenSize: 4096,
  layers: 32,
  numbers: { all: 7_708_941_872, trained: 288_259_556 },
  llava: LLAVA_7B,
};

const SIZES_13B = {
  ...ENCODERS,
  loraRank: 64,
  hiddenSize: 5120,
  layers: 40,
  numbers: { all: 14_045_383_216, trained: 411_738_596 },
} as const;

const VICUNA_13B: Backbone = {
  ...SIZES_13B,
  name: 'vicuna-13b',
  title: 'GSVA-Vicuna-13B',
  conversation: 'llava_v1',
  llava: LLAVA_13B,
};

const LLAMA_2_13B: Backbone = {
  ...SIZES_13B,
  name: 'llama-2-13b',
  title: 'GSVA-Llama2-13B',
  conversation: 'llava_llama_2',
  llava: { whole: LLAVA_LLAMA_2_13B },
};

export const BACKBONES: readonly Backbone[] = [VICUNA_7B, VICUNA_13B, LLAMA_2_13B];

/** Splits in the order of the log: [gIoU, cIoU, N-acc, T-acc]. */
function logged(...figures: readonly (readonly [number, number, number, number])[]): LoggedFigures[] {
  const splits = ['val', 'testA', 'testB'] as const;
  return figures.map(([gIoU, cIoU, N_acc, T_acc], i) => {
    return { split: splits[i] as LoggedFigures['split'], gIoU, cIoU, N_acc, T_acc };
  });
}

/** Last training of a model, and the tables that have it; those of classic RES: masks, and boxes around them. */
const TRAINED = {
  pretrain: { title: 'pretrained', tables: [1, 2, 3], row: '' },
  'finetune-grefcoco': { title: 'fine-tuned on gRefCOCO', tables: [1], row: ' (ft)' },
  'finetune-res': { title: 'fine-tuned on RefCOCO, RefCOCO+, RefCOCOg', tables: [2, 3], row: ' (ft)' },
  'finetune-refzom': { title: 'fine-tuned on Ref-ZOM', tables: [8], row: ' (ft)' },
} as const;

function released(
  name: string,
  backbone: Backbone,
  on: keyof typeof TRAINED,
  named: ReleasedModel['named'],
  log: LoggedFigures[] = [],
): ReleasedModel {
  const { title, row } = TRAINED[on];
  const tables: ReleasedModel['figures'][number]['table'][] = [...TRAINED[on].tables];
  // Ref-ZOM and ADE20K were measured with one of the three.
  if (on === 'pretrain' && backbone === VICUNA_7B) tables.push(8, 9);
  return {
    name,
    title: `${backbone.title}, ${title}`,
    backbone,
    config: `configs/paper/${backbone.name}-${on}.json5`,
    named,
    figures: tables.map((table) => ({ table, row: backbone.title + row })),
    logged: log,
  };
}

export const RELEASED_MODELS: readonly ReleasedModel[] = [
  released(
    'gsva-7b-pt',
    VICUNA_7B,
    'pretrain',
    'authors',
    logged([0.6347, 0.6165, 0.5698, 0.9954], [0.6999, 0.6917, 0.6339, 0.9846], [0.6134, 0.6026, 0.5868, 0.9895]),
  ),
  released(
    'gsva-7b-ft-gres',
    VICUNA_7B,
    'finetune-grefcoco',
    'authors',
    logged([0.6643, 0.6319, 0.6256, 0.9962], [0.7106, 0.6987, 0.6572, 0.9869], [0.622, 0.6035, 0.6072, 0.991]),
  ),
  released('gsva-7b-ft-res', VICUNA_7B, 'finetune-res', 'users'),
  released('gsva-7b-ft-zom', VICUNA_7B, 'finetune-refzom', null),
  released('gsva-13b-pt', VICUNA_13B, 'pretrain', 'users'),
  released('gsva-13b-ft-gres', VICUNA_13B, 'finetune-grefcoco', null),
  released('gsva-13b-ft-res', VICUNA_13B, 'finetune-res', null),
  released('gsva-llama2-13b-pt', LLAMA_2_13B, 'pretrain', null),
  released('gsva-llama2-13b-ft-gres', LLAMA_2_13B, 'finetune-grefcoco', null),
  released('gsva-llama2-13b-ft-res', LLAMA_2_13B, 'finetune-res', 'users'),
];

export const PACKAGED_MODELS: readonly PackagedModel[] = [
  { name: 'tiny', title: 'trained on coloured shapes; answers about these alone', folder: 'checkpoints/tiny' },
  {
    name: 'tiny-base',
    title: 'what training on coloured shapes starts from; answers nothing yet',
    folder: 'checkpoints/tiny-base',
  },
  {
    name: 'tiny-self1e',
    title: 'SELF1E, trained on coloured shapes; answers about these alone',
    folder: 'checkpoints/tiny-self1e',
  },
];
