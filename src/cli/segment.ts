/** `gsva segment`: finds what expressions name in an image, and says what is not there. */
import type { Options } from 'yargs';
import { UsageError } from '../errors.js';
import type { SegmentRequest } from './segment-job.js';
import { MODEL_OPTIONS, REJECT_THRESHOLD_OPTION, trainedModel } from './model-options.js';
import { PRECISION_OPTION } from './options.js';
import { MASK_FORMATS, type MaskFormat } from './mask-formats.js';
import { startEngineFor } from './start-engine.js';
import { inputPath, oneOf, requireFile, text } from './values.js';
import { defineVerb } from './verb.js';

const MODES = ['ask', 'generate'] as const;

const OPTIONS = {
  image: {
    describe: 'Image file (JPEG, PNG, WebP, ...)',
    type: 'string',
    requiresArg: true,
    demandOption: true,
    coerce: inputPath('image'),
  },
  expressions: {
    describe: 'What to find, each expression in quotes',
    type: 'string',
    array: true,
    requiresArg: true,
    demandOption: true,
  },
  ...MODEL_OPTIONS,
  precision: PRECISION_OPTION,
  'reject-threshold': REJECT_THRESHOLD_OPTION,
  out: {
    describe: 'NAME.png, .jpg or .webp: the coloured overlay; a folder: overlay and one mask per [SEG]; see --format',
    type: 'string',
    requiresArg: true,
    coerce: text('out'),
  },
  format: {
    describe:
      'Masks in --out: png; coco, labelme (NAME.json or a folder); geojson (NAME.geojson or a folder); yolo (a folder)',
    requiresArg: true,
    choices: MASK_FORMATS,
    coerce: oneOf('format', MASK_FORMATS),
  },
  mode: {
    describe: 'ask: decide per expression; generate: let the model write its answer',
    requiresArg: true,
    default: 'ask',
    choices: MODES,
    coerce: oneOf('mode', MODES),
  },
} satisfies Record<string, Options>;

export const segmentVerb = defineVerb({
  path: ['segment'],
  describe: 'Find what expressions name in an image',
  positionals: {},
  options: OPTIONS,
  examples: [
    ['gsva segment --image photo.jpg --expressions "red circle" "green bar"', 'print what was found and what was not'],
    ['gsva segment --image photo.jpg --expressions "both circles" --out found/', 'and write overlay and masks'],
    [
      'gsva segment --image photo.jpg --expressions "both circles" --out found.json --format coco',
      'and write masks as polygons',
    ],
    ['gsva segment --image photo.jpg --expressions "red circle" --json', 'for a program to read'],
  ],
  async run(args, context) {
    const expressions = args.expressions.map((expression, i) => {
      if (expression.trim() === '') throw new UsageError(`--expressions: expression ${i + 1} is empty`);
      return expression.trim();
    });
    if (expressions.length === 0) throw new UsageError('--expressions needs at least one expression');
    requireFile('--image', args.image);
    const { image, mode, precision } = args;
    const model = trainedModel(args);
    const rejectThreshold = args['reject-threshold'] ?? null;
    const request: SegmentRequest = {
      image,
      expressions,
      model,
      precision,
      rejectThreshold,
      mode,
      out: outOf(args.out, args.format),
    };
    const engine = await startEngineFor(args, context);
    const { runSegment } = await import('./segment-job.js');
    return runSegment(request, context, engine);
  },
});

function outOf(path: string | undefined, format: MaskFormat | undefined): SegmentRequest['out'] {
  if (path !== undefined) return { path, format: format ?? 'png' };
  if (format === undefined) return null;
  throw new UsageError(`--format ${format} says how --out is written; name a file or a folder as --out`);
}
