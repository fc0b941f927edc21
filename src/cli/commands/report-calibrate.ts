/** `gsva report calibrate`: the probability from which on [REJ] should be believed. */
import { defineCommand } from '../command.js';
import { option, required } from '../options/option.js';
import { requireFolder, TEXT } from '../options/values.js';
import type { Cell } from '../output.js';

export const command = defineCommand({
  positionals: { file: required('Records of a whole run, best of val', TEXT) },
  options: {
    store: option(
      'Folder of the model that was measured: the threshold is kept in its meta.json, and used from then on',
      TEXT,
    ),
  },
  examples: [
    ['gsva report calibrate runs/val.jsonl', 'the curve, the area under it, the best threshold'],
    ['gsva report calibrate runs/val.jsonl --store checkpoints/tiny', 'segment and eval use it from now on'],
  ],
  async run({ file, store }, { output }) {
    if (store !== undefined) requireFolder('--store', store);
    const { calibrate } = await import('../../workflows/calibrate.js');
    const { protocol, split, area, best, standard, decisions, undecided, curve } = calibrate({ records: file, store });
    const row = (name: string, { N_acc, T_acc }: { N_acc: number; T_acc: number }): Cell[] => [
      name,
      ...[N_acc, T_acc, (N_acc + T_acc) / 2].map((value) => value.toFixed(3)),
    ];
    output.table(
      ['[REJ] from', 'N-acc', 'T-acc', 'mean'],
      [row(`${best.threshold.toFixed(4)} (best)`, best), row('0.5', standard)],
    );
    output.line(`area under the curve ${area.toFixed(4)}, ${decisions} decisions of ${split} by ${protocol}`);
    if (store !== undefined) output.line(`${store}/meta.json: rejectThreshold ${best.threshold}`);
    output.json({ file, protocol, split, area, best, standard, decisions, undecided, curve, stored: store ?? null });
    return 0;
  },
});
