/** `gsva inspect`: what is in a file or folder of weights. Nothing is computed with, so no engine is started. */
import type { Options, PositionalOptions } from 'yargs';
import { text } from './values.js';
import { packagedPath } from '../program.js';
import { defineVerb } from './verb.js';

const OPTIONS = {
  stats: {
    describe: 'Read the tensors too: least, greatest, mean, deviation, counts of NaN, Inf and 0, equal tensors',
    type: 'boolean',
    default: false,
  },
  match: {
    describe: 'Only tensors whose name contains this; with a *, which stands for anything, whose whole name it is',
    type: 'string',
    requiresArg: true,
    coerce: text('match'),
  },
} satisfies Record<string, Options>;

const POSITIONALS = {
  path: {
    describe: 'A file (.safetensors, .bin, .pth, .pt, an .index.json), or a folder with such files',
    type: 'string',
    demandOption: true,
  },
} satisfies Record<string, PositionalOptions>;

export const inspectVerb = defineVerb({
  path: ['inspect'],
  positionalSyntax: '<path>',
  describe: 'List the tensors in a file or folder of weights',
  positionals: POSITIONALS,
  options: OPTIONS,
  examples: [
    ['gsva inspect model', "names, types, shapes and sizes; totals by type and part; only the files' headers are read"],
    ['gsva inspect pytorch_model.bin --stats --match mask_decoder', 'one part, with statistics of its numbers'],
    ["gsva inspect model.safetensors --match 'model.layers.0.*' --json", 'one layer, for a program to read'],
  ],
  async run({ path, stats, match }, context) {
    const { runInspect } = await import('./inspect-job.js');
    return runInspect({ path: packagedPath(path), withStatistics: stats, match }, context);
  },
});
