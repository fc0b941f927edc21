/** `gsva report …`: reports, comparisons and thresholds from recorded results, and shards joined. */
import { faultsText, figureHead, figureRow } from '../../evaluation/records/record-figures.js';
import { defineCommand } from '../command.js';
import { option, required, withDefault } from '../options/option.js';
import { requireData, requireFolder, SEED, TEXT, TEXTS, wholeNumber } from '../options/values.js';
import type { Cell } from '../output.js';

export const commands = {
  'report write': defineCommand({
    positionals: { file: required('Records of a whole run', TEXT) },
    options: {
      data: required('Folder or file that was evaluated, for the pictures', TEXT),
      out: required('Folder of the report', TEXT),
    },
    examples: { 'gsva report write runs/val.jsonl --data data/synth --out runs/report': 'after joining shards' },
    async run({ file, data, out }, { output }) {
      requireData(data);
      const { writeReport } = await import('../../workflows/report.js');
      const { measured, report } = await writeReport(file, data, out);
      output.line(`measured on ${measured ?? ''}`);
      output.line(report);
      output.json({ file, measured, report });
      return 0;
    },
  }),
  'report compare': defineCommand({
    positionals: {
      a: required('Records of an evaluation, or the folder of a training', TEXT),
      b: required('Another one of the same kind; differences are b − a', TEXT),
    },
    options: {
      out: option(
        'Folder for the comparison as a page (HTML, Markdown, JSON), with the curves of trainings over each other',
        TEXT,
      ),
      resamples: withDefault(
        'Records: how often images are drawn with replacement',
        wholeNumber(100, 1_000_000),
        10_000,
      ),
      seed: withDefault('Records: the same seed gives the same intervals', SEED, 1),
    },
    examples: {
      'gsva report compare runs/before.jsonl runs/after.jsonl': 'what changed, and how far it may be chance',
      'gsva report compare runs/before.jsonl runs/after.jsonl --json': 'for a program to read',
      'gsva report compare runs/first runs/second --out runs/compared': 'two trainings: configurations, course, curves',
    },
    async run(args, { output }) {
      const { compare } = await import('../../workflows/compare.js');
      const { sections, notes, facts, report } = compare(args);
      for (const { title, table, notes: own } of sections) {
        output.line(title);
        if (table !== null) output.table(table.head, table.rows);
        for (const note of own) output.line(note);
        output.line();
      }
      for (const note of notes) output.line(note);
      if (report !== null) output.line(report);
      output.json({ ...facts, ...(report === null ? {} : { report }) });
      return 0;
    },
  }),
  'report calibrate': defineCommand({
    positionals: { file: required('Records of a whole run, best of val', TEXT) },
    options: {
      store: option(
        'Folder of the model that was measured: the threshold is kept in its meta.json, and used from then on',
        TEXT,
      ),
    },
    examples: {
      'gsva report calibrate runs/val.jsonl': 'the curve, the area under it, the best threshold',
      'gsva report calibrate runs/val.jsonl --store checkpoints/tiny': 'segment and eval use it from now on',
    },
    async run({ file, store }, { output }) {
      if (store !== undefined) requireFolder('--store', store);
      const { calibrate } = await import('../../workflows/calibrate.js');
      const found = calibrate({ records: file, store });
      const { protocol, split, area, best, standard, decisions, undecided, curve } = found;
      const row = (name: string, { N_acc, T_acc }: { N_acc: number; T_acc: number }): Cell[] => [
        name,
        ...[N_acc, T_acc, (N_acc + T_acc) / 2].map((value) => value.toFixed(3)),
      ];
      const rows = [row(`${best.threshold.toFixed(4)} (best)`, best), row('0.5', standard)];
      output.table(['[REJ] from', 'N-acc', 'T-acc', 'mean'], rows);
      output.line(`area under the curve ${area.toFixed(4)}, ${decisions} decisions of ${split} by ${protocol}`);
      if (store !== undefined) output.line(`${store}/meta.json: rejectThreshold ${best.threshold}`);
      output.json({ file, protocol, split, area, best, standard, decisions, undecided, curve, stored: store ?? null });
      return 0;
    },
  }),
  'report merge': defineCommand({
    positionals: { files: required('Records of all shards', TEXTS) },
    options: { out: required('File to write', TEXT) },
    examples: { 'gsva report merge runs/val-0.jsonl runs/val-1.jsonl --out runs/val.jsonl': 'two halves' },
    async run({ files, out }, { output }) {
      const { mergeShards } = await import('../../workflows/report.js');
      const { results, faults } = mergeShards(files, out);
      output.table(figureHead(results), results.map(figureRow));
      const strange = faultsText(faults);
      if (strange !== null) output.line(strange);
      output.line(out);
      output.json({ out, files, results: results.map((result) => ({ ...result.figures, ...result })) });
      return 0;
    },
  }),
};
