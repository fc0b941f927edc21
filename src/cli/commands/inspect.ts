/** `gsva inspect`: the tensors in a file or folder of weights. No engine is started. */
import type { TensorStatistics } from '../../io/tensor-statistics.js';
import { bytesText } from '../../machine.js';
import { packagedPath } from '../../program.js';
import { type Duplicates, inspect, type Inspection } from '../../workflows/inspect.js';
import { printable } from '../../io/tensor-summary.js';
import { defineCommand } from '../command.js';
import { flag, option, required } from '../options/option.js';
import { TEXT } from '../options/values.js';
import type { Cell, Output } from '../output.js';

export const command = defineCommand({
  positionals: {
    path: required('A file (.safetensors, .bin, .pth, .pt, an .index.json), or a folder with such files', TEXT),
  },
  options: {
    stats: flag('Read the tensors too: least, greatest, mean, deviation, counts of NaN, Inf and 0, equal tensors'),
    match: option(
      'Only tensors whose name contains this; with a *, which stands for anything, whose whole name it is',
      TEXT,
    ),
  },
  examples: {
    'gsva inspect model': "names, types, shapes and sizes; totals by type and part; only the files' headers are read",
    'gsva inspect pytorch_model.bin --stats --match mask_decoder': 'one part, with statistics of its numbers',
    "gsva inspect model.safetensors --match 'model.layers.0.*' --json": 'one layer, for a program to read',
  },
  async run({ path: given, stats, match }, context) {
    const path = packagedPath(given);
    const found = await inspect({ path, stats, match, ...context });
    const { format, files, within, about, tensors, total, dtypes, parts, duplicates } = found;
    const { output } = context;
    if (about !== null) context.onNote(`${path}: ${about}`);
    if (within !== null) output.line(` the tensors of ${within}`);
    if (!output.isJson) show(path, found, output);
    output.json({
      ...{ path, format, files, ...(about === null ? {} : { about }), ...(within === null ? {} : { within }) },
      tensors: tensors.map(({ statistics, ...tensor }) => ({ ...tensor, ...statistics })),
      total,
      dtypes: dtypes.map(({ key, total: sum }) => ({ dtype: key, ...sum })),
      parts: parts.map(({ key, total: sum }) => ({ part: key, ...sum })),
      ...(duplicates === null ? {} : { duplicates }),
    });
    return 0;
  },
});

function show(path: string, found: Inspection, output: Output): void {
  const { format, files, tensors, total, dtypes, parts, duplicates } = found;
  output.line(` ${path}: ${format}, ${files.length === 1 ? 'one file' : `${files.length} files`}`);
  output.line();
  const head = ['name', 'type', 'shape', 'bytes>'];
  const statisticsHead = ['min>', 'max>', 'mean>', 'deviation>', 'NaN>', 'Inf>', '0>'];
  const rows = tensors.map(({ name, dtype, shape, bytes, statistics }): Cell[] => {
    const cells = [printable(name), dtype, `[${shape.join(', ')}]`, bytes];
    return statistics === null ? cells : [...cells, ...cellsOf(statistics)];
  });
  output.table(duplicates === null ? head : [...head, ...statisticsHead], rows);
  for (const [title, totals] of Object.entries({ part: parts, type: dtypes })) {
    const rows = [...totals, { key: 'all', total }].map((each): Cell[] => {
      return [printable(each.key), each.total.tensors, each.total.numbers, bytesText(each.total.bytes)];
    });
    output.line();
    output.table([title, 'tensors>', 'numbers>', 'size>'], rows);
  }
  if (duplicates !== null) showDuplicates(duplicates, output);
}

function showDuplicates(duplicates: readonly Duplicates[], output: Output): void {
  output.line();
  const equal = duplicates.filter(({ constant }) => constant === null);
  if (equal.length === 0) output.line(' equal: none');
  for (const { names, bytes } of equal) {
    output.line(` equal, ${bytesText(bytes)} each: ${names.map(printable).join(', ')}`);
  }
  for (const { names, bytes, constant } of duplicates) {
    if (constant === null) continue;
    output.line(
      ` all ${constant}, ${bytesText(bytes)} each: ${printable(names[0] ?? '')} and ${names.length - 1} more`,
    );
  }
}

function cellsOf({ min, max, mean, deviation, nan, infinite, zeros }: TensorStatistics): Cell[] {
  const figures = [min, max, mean, deviation].map((value) => (value === null ? '-' : shortNumber(value)));
  return [...figures, nan, infinite, zeros];
}

/** Four digits, or a whole number as it is. */
function shortNumber(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e6 ? String(value) : String(Number(value.toPrecision(4)));
}
