/** `gsva data import coco | labelme`: writes annotations of other formats as lines of own data. */
import type { Options } from 'yargs';
import type { ImportRequest } from './data-import-job.js';
import { finiteNumber, requireFolder, text, wholeNumber } from './values.js';
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
    describe: 'So many names that an image does not have are asked for too, as "not here"',
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
} satisfies Record<string, Options>;

interface Written {
  readonly out: string;
  readonly val: number;
  readonly absent: number;
  readonly seed: number;
  readonly overwrite: boolean;
}

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

export const dataImportLabelmeVerb = defineVerb({
  path: ['data', 'import', 'labelme'],
  positionalSyntax: '<folder>',
  describe: "Import LabelMe's JSON files: labels become expressions",
  positionals: { folder: { describe: 'Folder of the JSON files', type: 'string', demandOption: true } },
  options: {
    'per-shape': {
      describe: 'One expression for each shape (or group); otherwise for all shapes with the same label',
      type: 'boolean',
      default: false,
    },
    ...OPTIONS,
  },
  examples: [
    ['gsva data import labelme my/annotated --out my/data.jsonl --val 0.1', 'a tenth for val'],
    ['gsva data import labelme my/annotated --out my/data.jsonl --per-shape', 'labels that describe one thing each'],
  ],
  async run(args, context) {
    const source = { kind: 'labelme', folder: args.folder, perShape: args['per-shape'] } as const;
    const { runImport } = await import('./data-import-job.js');
    return runImport(requestOf(source, args), context);
  },
});

function requestOf(source: ImportRequest['source'], { out, val, absent, seed, overwrite }: Written): ImportRequest {
  return { source, out, val, absent, seed, overwrite };
}
