/** `gsva data import labelme`: LabelMe's JSON files as own data. */
import { FILLS } from '../../data/own/labelme-shape.js';
import { importLabelme } from '../../data/own/labelme-import.js';
import { defineCommand } from '../command.js';
import { IMPORT_OPTIONS, writeImported } from '../import-annotations.js';
import { flag, option, required, withDefault } from '../options/option.js';
import { oneOf, requireFolder, TEXT } from '../options/values.js';

const LABELME_OPTIONS = {
  'per-shape': flag('One expression for each shape (or group); otherwise for all shapes with the same label'),
  fill: withDefault(
    "How outlines become pixels: as COCO's, or as LabelMe exports them (a 10–20 rectangle: 100 or 121)",
    oneOf(FILLS),
    'coco',
  ),
  images: option('Folder of the images, where they are not next to the JSON files', TEXT),
  ...IMPORT_OPTIONS,
};

export const command = defineCommand({
  positionals: { folder: required('Folder of the JSON files', TEXT) },
  options: LABELME_OPTIONS,
  examples: [
    ['gsva data import labelme my/annotated --out my/data.jsonl --val 0.1', 'a tenth for val'],
    ['gsva data import labelme my/annotated --out my/data.jsonl --per-shape', 'labels that describe one thing each'],
  ],
  async run(args, context) {
    if (args.images !== undefined) requireFolder('--images', args.images);
    const { folder, images = null, perShape, fill } = args;
    return writeImported(args, context, (embeddedInto, options, onProgress) =>
      importLabelme(folder, { images, perShape, fill, ...options, embeddedInto }, onProgress),
    );
  },
});
