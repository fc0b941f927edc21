/** `gsva data import voc`: Pascal VOC's folders as own data. */
import { importVoc } from '../../data/own/voc-import.js';
import { defineCommand } from '../command.js';
import { IMPORT_OPTIONS, writeImported } from '../import-annotations.js';
import { required } from '../options/option.js';
import { requireFolder, TEXT } from '../options/values.js';

export const command = defineCommand({
  positionals: { folder: required('Folder with JPEGImages and SegmentationClass', TEXT) },
  options: IMPORT_OPTIONS,
  examples: [
    ['gsva data import voc VOCdevkit/VOC2012 --out my/data.jsonl', 'with the splits of ImageSets/Segmentation'],
    ['gsva data import voc my/cvat-export --out my/data.jsonl --absent 2', 'with the classes of its labelmap.txt'],
  ],
  async run(args, context) {
    requireFolder('<folder>', args.folder);
    return writeImported(args, context, (_, options, onProgress) => importVoc(args.folder, options, onProgress));
  },
});
