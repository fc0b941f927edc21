/** `gsva segment`: finds what expressions name in an image, and reports what is absent. */
import { UsageError } from '../../errors.js';
import { modelSentence, type Reply } from '../../inference/reply.js';
import { MASK_FORMATS, textOf } from '../../workflows/segment-files.js';
import { defineCommand } from '../command.js';
import { FIGURES, figuresOf, meaningsOf, withRle } from '../findings.js';
import { MODEL_OPTIONS, trainedModel } from '../options/model.js';
import { option, required, withDefault } from '../options/option.js';
import { hardwareOf, PRECISION_OPTION, REJECT_THRESHOLD_OPTION } from '../options/shared.js';
import { INPUT_PATH, oneOf, requireFile, TEXT, TEXTS } from '../options/values.js';
import type { Output } from '../output.js';

const MODES = ['ask', 'generate'] as const;

export const command = defineCommand({
  options: {
    image: required('Image file (JPEG, PNG, WebP, ...)', INPUT_PATH),
    expressions: required('What to find, each expression in quotes', TEXTS),
    ...MODEL_OPTIONS,
    precision: PRECISION_OPTION,
    'reject-threshold': REJECT_THRESHOLD_OPTION,
    out: option(
      'NAME.png, .jpg or .webp: the coloured overlay; a folder: overlay and one mask per [SEG]; see --format',
      TEXT,
    ),
    format: option(
      'Masks in --out: png; coco, labelme (NAME.json or a folder); geojson (NAME.geojson or a folder); yolo (a folder)',
      oneOf(MASK_FORMATS),
    ),
    mode: withDefault('ask: decide per expression; generate: let the model write its answer', oneOf(MODES), 'ask'),
  },
  examples: {
    'gsva segment --image photo.jpg --expressions "red circle" "green bar"': 'print what was found and what was not',
    'gsva segment --image photo.jpg --expressions "both circles" --out found/': 'and write overlay and masks',
    'gsva segment --image photo.jpg --expressions "both circles" --out found.json --format coco':
      'and write masks as polygons',
    'gsva segment --image photo.jpg --expressions "red circle" --json': 'for a program to read',
  },
  async run(args, context) {
    const expressions = args.expressions.map((expression, i) => {
      if (expression.trim() === '') throw new UsageError(`--expressions: expression ${i + 1} is empty`);
      return expression.trim();
    });
    if (expressions.length === 0) throw new UsageError('--expressions needs at least one expression');
    requireFile('--image', args.image);
    const { output } = context;
    const { out: path, format } = args;
    if (format !== undefined && path === undefined)
      throw new UsageError(`--format ${format} says how --out is written; name a file or a folder as --out`);
    const out = path === undefined ? undefined : { path, format: format ?? 'png' };
    const options = { ...args, expressions, model: trainedModel(args), out };
    const { segmentFile } = await import('../../workflows/segment.js');
    const { reply, engine, ...file } = await segmentFile({ ...options, engine: hardwareOf(args), ...context });
    showReply(reply, output);
    for (const path of file.written) output.line(path);
    const { model, question, answer, results, unmatched } = reply;
    output.json({
      image: args.image,
      width: file.width,
      height: file.height,
      ...{ model, question, answer },
      results: results.map(withRle),
      unmatched: unmatched.map(withRle),
      statuses: meaningsOf([...results, ...unmatched]),
      written: file.written,
      engine: engine.name,
      seconds: file.seconds,
    });
    return 0;
  },
});

/** The table of the expressions, what its words mean, the raw answer, and what else is in it. */
function showReply(reply: Reply, output: Output): void {
  const { results, unmatched, answer, model } = reply;
  const rows = results.map((result) => [result.expression, ...figuresOf(result)]);
  output.table(['expression', ...FIGURES], rows);
  if (unmatched.length > 0) {
    output.line('\nparts of the answer that match no expression:');
    const parts = unmatched.map((part) => [textOf(part), ...figuresOf(part)]);
    output.table(['text', ...FIGURES], parts);
  }
  output.line();
  for (const [status, meaning] of Object.entries(meaningsOf([...results, ...unmatched])))
    output.line(`${status}: ${meaning}`);
  const limits = model.knows === null ? '' : '; about anything else in a picture its answers mean nothing';
  output.line(`model: ${modelSentence(model)}${limits}`);
  output.line();
  output.line(answer);
}
