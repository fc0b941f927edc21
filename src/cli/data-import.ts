/** `gsva data import coco | labelme | yolo | voc`: writes annotations of other formats as lines of own data. */
import type { Options } from 'yargs';
import { FILLS } from '../data/own/image-drafts.js';
import type { ImportRequest } from './data-import-job.js';
import { finiteNumber, oneOf, requireFile, requireFolder, text, wholeNumber } from './values.js';
import { defineVerb } from './verb.js';

const OPTIONS = {
  out: {
    describe: 'File to write (.jsonl); images in its folder are named relative to it',
    type: 'string',
    requiresArg: true,
    demandOption: true,
    coerce: text('out'),
  },
  val: {
    describe: 'Share of the images that become the val split',
    requiresArg: true,
    default: 0,
    coerce: finiteNumber('val', { min: 0, max: 0.9 }),
  },
  absent: {
    describe: 'Names per image that it is not annotated with, asked for as "not here"',
    requiresArg: true,
    default: 0,
    coerce: wholeNumber('absent', { min: 0, max: 1000 }),
  },
  seed: {
    describe: 'Decides what is for val, and what is absent',
    requiresArg: true,
    default: 1,
    coerce: wholeNumber('seed', { min: 0, max: 2 ** 32 - 1 }),
  },
  overwrite: { describe: 'Replace the file', type: 'boolean', default: false },
  'keep-incomplete': {
    describe: 'Keep expressions whose mask lacks an object of the image (one with only a box, say)',
    type: 'boolean',
    default: false,
  },
  strict: { describe: 'Write nothing and exit with 1 where any entry is wrong', type: 'boolean', default: false },
  show: {
    describe: 'Entries left out that are listed of each kind, at most',
    requiresArg: true,
    default: 10,
    coerce: wholeNumber('show', { min: 0, max: 10_000 }),
  },
} satisfies Record<string, Options>;

type Written = Omit<ImportRequest, 'source' | 'keepIncomplete'> & { readonly 'keep-incomplete': boolean };

export const dataImportCocoVerb = defineVerb({
  path: ['data', 'import', 'coco'],
  positionalSyntax: '<instances>',
  describe: "Import COCO's instances.json: the names of the categories become expressions",
  positionals: { instances: { describe: 'The annotations', type: 'string', demandOption: true } },
  options: {
    images: {
      describe: 'Folder of the images',
      type: 'string',
      requiresArg: true,
      demandOption: true,
      coerce: text('images'),
    },
    ...OPTIONS,
  },
  examples: [
    ['gsva data import coco my/instances.json --images my/images --out my/data.jsonl --val 0.1', 'a tenth for val'],
    [
      'gsva data import coco my/instances.json --images my/images --out my/data.jsonl --absent 2',
      'with two names in each image that are not there',
    ],
  ],
  async run(args, context) {
    requireFolder('--images', args.images);
    const source = { kind: 'coco', file: args.instances, images: args.images } as const;
    const { runImport } = await import('./data-import-job.js');
    return runImport(requestOf(source, args), context);
  },
});

const LABELME_OPTIONS = {
  'per-shape': {
    describe: 'One expression for each shape (or group); otherwise for all shapes with the same label',
    type: 'boolean',
    default: false,
  },
  fill: {
    describe: "How outlines become pixels: as COCO's, or as LabelMe exports them (a 10–20 rectangle: 100 or 121)",
    requiresArg: true,
    default: 'coco',
    coerce: oneOf('fill', FILLS),
  },
  images: {
    describe: 'Folder of the images, where they are not next to the JSON files',
    type: 'string',
    requiresArg: true,
    coerce: text('images'),
  },
  ...OPTIONS,
} satisfies Record<string, Options>;

export const dataImportLabelmeVerb = defineVerb({
  path: ['data', 'import', 'labelme'],
  positionalSyntax: '<folder>',
  describe: "Import LabelMe's JSON files: labels become expressions",
  positionals: { folder: { describe: 'Folder of the JSON files', type: 'string', demandOption: true } },
  options: LABELME_OPTIONS,
  examples: [
    ['gsva data import labelme my/annotated --out my/data.jsonl --val 0.1', 'a tenth for val'],
    ['gsva data import labelme my/annotated --out my/data.jsonl --per-shape', 'labels that describe one thing each'],
  ],
  async run(args, context) {
    if (args.images !== undefined) requireFolder('--images', args.images);
    const { folder, images = null, fill } = args;
    const source = { kind: 'labelme', folder, images, perShape: args['per-shape'], fill } as const;
    const { runImport } = await import('./data-import-job.js');
    return runImport(requestOf(source, args), context);
  },
});

export const dataImportYoloVerb = defineVerb({
  path: ['data', 'import', 'yolo'],
  positionalSyntax: '<description>',
  describe: "Import YOLO's segmentation labels: the names of data.yaml become expressions",
  positionals: { description: { describe: 'data.yaml of the data set', type: 'string', demandOption: true } },
  options: OPTIONS,
  examples: [
    ['gsva data import yolo my/data.yaml --out my/data.jsonl', 'with the splits of data.yaml'],
    ['gsva data import yolo my/data.yaml --out my/data.jsonl --strict', 'nothing where a label is wrong'],
  ],
  async run(args, context) {
    requireFile('<description>', args.description);
    const source = { kind: 'yolo', file: args.description } as const;
    const { runImport } = await import('./data-import-job.js');
    return runImport(requestOf(source, args), context);
  },
});

export const dataImportVocVerb = defineVerb({
  path: ['data', 'import', 'voc'],
  positionalSyntax: '<folder>',
  describe: "Import Pascal VOC's folders: the classes of SegmentationClass become expressions",
  positionals: {
    folder: { describe: 'Folder with JPEGImages and SegmentationClass', type: 'string', demandOption: true },
  },
  options: OPTIONS,
  examples: [
    ['gsva data import voc VOCdevkit/VOC2012 --out my/data.jsonl', 'with the splits of ImageSets/Segmentation'],
    ['gsva data import voc my/cvat-export --out my/data.jsonl --absent 2', 'with the classes of its labelmap.txt'],
  ],
  async run(args, context) {
    requireFolder('<folder>', args.folder);
    const source = { kind: 'voc', folder: args.folder } as const;
    const { runImport } = await import('./data-import-job.js');
    return runImport(requestOf(source, args), context);
  },
});

function requestOf(source: ImportRequest['source'], args: Written): ImportRequest {
  const { out, val, absent, seed, overwrite, strict, show } = args;
  return { source, out, val, absent, seed, overwrite, strict, show, keepIncomplete: args['keep-incomplete'] };
}
