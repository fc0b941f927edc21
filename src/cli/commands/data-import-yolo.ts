/** `gsva data import yolo`: YOLO's segmentation labels as own data. */
import { importYolo } from '../../data/own/yolo-import.js';
import { defineCommand } from '../command.js';
import { IMPORT_OPTIONS, writeImported } from '../import-annotations.js';
import { required } from '../options/option.js';
import { requireFile, TEXT } from '../options/values.js';

export const command = defineCommand({
  positionals: { description: required('data.yaml of the data set', TEXT) },
  options: IMPORT_OPTIONS,
  examples: [
    ['gsva data import yolo my/data.yaml --out my/data.jsonl', 'with the splits of data.yaml'],
    ['gsva data import yolo my/data.yaml --out my/data.jsonl --strict', 'nothing where a label is wrong'],
  ],
  async run(args, context) {
    requireFile('<description>', args.description);
    return writeImported(args, context, (_, options, onProgress) => importYolo(args.description, options, onProgress));
  },
});
