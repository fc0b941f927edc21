/** `gsva data import coco`: COCO's instances.json as own data. */
import { importCoco } from '../../data/own/coco-import.js';
import { defineCommand } from '../command.js';
import { IMPORT_OPTIONS, writeImported } from '../import-annotations.js';
import { required } from '../options/option.js';
import { requireFolder, TEXT } from '../options/values.js';

export const command = defineCommand({
  positionals: { instances: required('The annotations', TEXT) },
  options: { images: required('Folder of the images', TEXT), ...IMPORT_OPTIONS },
  examples: [
    ['gsva data import coco my/instances.json --images my/images --out my/data.jsonl --val 0.1', 'a tenth for val'],
    [
      'gsva data import coco my/instances.json --images my/images --out my/data.jsonl --absent 2',
      'with two absent names in each image',
    ],
  ],
  async run(args, context) {
    requireFolder('--images', args.images);
    const { instances, images } = args;
    return writeImported(args, context, (_, options, onProgress) => importCoco(instances, images, options, onProgress));
  },
});
